// SPDX-License-Identifier: Apache-2.0
package isthmus.demos;

import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.stereotype.Component;
import org.springframework.util.StreamUtils;

/** The JDK's own HttpURLConnection. Whether it keeps connections is a setting of the JVM (`http.keepAlive`). */
@Component("jdkHttp")
public class JdkHttpCaller implements Caller {
    private final int timeoutMs;

    public JdkHttpCaller(@Value("${client.timeout-ms}") int timeoutMs) {
        this.timeoutMs = timeoutMs;
    }

    @Override
    public String get(String url, String version) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        connection.setConnectTimeout(timeoutMs);
        connection.setReadTimeout(timeoutMs);
        connection.setRequestProperty(VERSION_HEADER, version);
        try (InputStream body = connection.getInputStream()) {
            return Caller.checked(connection.getResponseCode(), StreamUtils.copyToString(body, StandardCharsets.UTF_8));
        } finally {
            connection.disconnect();
        }
    }
}
