// SPDX-License-Identifier: Apache-2.0
package isthmus.demos;

import java.io.IOException;
import org.apache.http.client.config.RequestConfig;
import org.apache.http.client.methods.CloseableHttpResponse;
import org.apache.http.client.methods.HttpGet;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.HttpClients;
import org.apache.http.util.EntityUtils;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.stereotype.Component;

/** Apache HttpClient 4. */
@Component("httpClient")
public class HttpClientCaller implements Caller {
    private final RequestConfig config;

    public HttpClientCaller(@Value("${client.timeout-ms}") int timeoutMs) {
        config = RequestConfig.custom().setConnectTimeout(timeoutMs).setSocketTimeout(timeoutMs).build();
    }

    @Override
    public String get(String url, String version) throws IOException {
        HttpGet request = new HttpGet(url);
        request.setHeader(VERSION_HEADER, version);
        try (CloseableHttpClient client = HttpClients.custom().setDefaultRequestConfig(config).build();
            CloseableHttpResponse response = client.execute(request)) {
            return Caller.checked(response.getStatusLine().getStatusCode(), EntityUtils.toString(response.getEntity()));
        }
    }
}
