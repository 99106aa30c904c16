// SPDX-License-Identifier: Apache-2.0
package isthmus.demos;

import com.squareup.okhttp.ConnectionPool;
import com.squareup.okhttp.OkHttpClient;
import com.squareup.okhttp.Request;
import com.squareup.okhttp.Response;
import com.squareup.okhttp.ResponseBody;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.stereotype.Component;

/** OkHttp 2. */
@Component("okHttp2")
public class OkHttp2Caller implements Caller {
    private final OkHttpClient client = new OkHttpClient();

    public OkHttp2Caller(@Value("${client.timeout-ms}") int timeoutMs) {
        client.setConnectTimeout(timeoutMs, TimeUnit.MILLISECONDS);
        client.setReadTimeout(timeoutMs, TimeUnit.MILLISECONDS);
        client.setConnectionPool(new ConnectionPool(0, 1000));
    }

    @Override
    public String get(String url, String version) throws IOException {
        Request request = new Request.Builder().url(url).header(VERSION_HEADER, version).build();
        Response response = client.newCall(request).execute();
        try (ResponseBody body = response.body()) {
            return Caller.checked(response.code(), body.string());
        }
    }
}
