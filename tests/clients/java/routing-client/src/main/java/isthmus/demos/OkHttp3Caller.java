// SPDX-License-Identifier: Apache-2.0
package isthmus.demos;

import java.io.IOException;
import java.util.concurrent.TimeUnit;
import okhttp3.ConnectionPool;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.stereotype.Component;

/** OkHttp 4, whose packages are still called okhttp3. */
@Component("okHttp3")
public class OkHttp3Caller implements Caller {
    private final OkHttpClient client;

    public OkHttp3Caller(@Value("${client.timeout-ms}") int timeoutMs) {
        client = new OkHttpClient.Builder()
            .connectTimeout(timeoutMs, TimeUnit.MILLISECONDS)
            .readTimeout(timeoutMs, TimeUnit.MILLISECONDS)
            .connectionPool(new ConnectionPool(0, 1, TimeUnit.SECONDS))
            .build();
    }

    @Override
    public String get(String url, String version) throws IOException {
        Request request = new Request.Builder().url(url).header(VERSION_HEADER, version).build();
        try (Response response = client.newCall(request).execute()) {
            return Caller.checked(response.code(), response.body().string());
        }
    }
}
