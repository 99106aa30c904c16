// SPDX-License-Identifier: Apache-2.0
package isthmus.demos;

import java.io.IOException;
import org.apache.http.HttpStatus;
import org.apache.http.client.config.RequestConfig;
import org.apache.http.client.methods.CloseableHttpResponse;
import org.apache.http.client.methods.HttpGet;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.DefaultHttpRequestRetryHandler;
import org.apache.http.impl.client.HttpClients;
import org.apache.http.util.EntityUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** Passes on what the server at an address says; nothing where it cannot be had. */
@RestController
public class SpringClientController {
    private static final Logger LOG = LoggerFactory.getLogger(SpringClientController.class);
    private static final int TIMEOUT_MS = 5000;
    private static final int RETRIES = 3;

    private final CloseableHttpClient client = HttpClients.custom()
        .setMaxConnTotal(200)
        .setMaxConnPerRoute(20)
        .setDefaultRequestConfig(RequestConfig.custom()
            .setConnectTimeout(TIMEOUT_MS)
            .setSocketTimeout(TIMEOUT_MS)
            .build())
        .setRetryHandler(new DefaultHttpRequestRetryHandler(RETRIES, false))
        .build();

    @GetMapping("/hello")
    public String hello(@RequestParam String address) {
        return "Greetings from " + address + " : " + fetch(address + "/hello");
    }

    private String fetch(String url) {
        try (CloseableHttpResponse response = client.execute(new HttpGet(url))) {
            String body = EntityUtils.toString(response.getEntity());
            return response.getStatusLine().getStatusCode() == HttpStatus.SC_OK ? body : "";
        } catch (IOException | IllegalArgumentException error) {
            LOG.warn("{}: {}", url, error.toString());
            return "";
        }
    }
}
