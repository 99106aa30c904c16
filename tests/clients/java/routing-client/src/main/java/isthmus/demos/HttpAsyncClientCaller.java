// SPDX-License-Identifier: Apache-2.0
package isthmus.demos;

import java.util.concurrent.TimeUnit;
import org.apache.http.HttpResponse;
import org.apache.http.client.config.RequestConfig;
import org.apache.http.client.methods.HttpGet;
import org.apache.http.impl.nio.client.CloseableHttpAsyncClient;
import org.apache.http.impl.nio.client.HttpAsyncClients;
import org.apache.http.util.EntityUtils;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.stereotype.Component;

/** Apache HttpAsyncClient 4. */
@Component("httpAsyncClient")
public class HttpAsyncClientCaller implements Caller {
    private final RequestConfig config;
    private final int timeoutMs;

    public HttpAsyncClientCaller(@Value("${client.timeout-ms}") int timeoutMs) {
        this.timeoutMs = timeoutMs;
        config = RequestConfig.custom().setConnectTimeout(timeoutMs).setSocketTimeout(timeoutMs).build();
    }

    @Override
    public String get(String url, String version) throws Exception {
        HttpGet request = new HttpGet(url);
        request.setHeader(VERSION_HEADER, version);
        try (CloseableHttpAsyncClient client = HttpAsyncClients.custom().setDefaultRequestConfig(config).build()) {
            client.start();
            HttpResponse response = client.execute(request, null).get(2L * timeoutMs, TimeUnit.MILLISECONDS);
            return Caller.checked(response.getStatusLine().getStatusCode(), EntityUtils.toString(response.getEntity()));
        }
    }
}
