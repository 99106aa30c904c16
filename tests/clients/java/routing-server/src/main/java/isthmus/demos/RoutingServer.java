// SPDX-License-Identifier: Apache-2.0
package isthmus.demos;

import javax.servlet.http.HttpServletRequest;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** The service that is to be routed to: each copy tells its version and the address at which it was called. */
@SpringBootApplication
@RestController
public class RoutingServer {
    @Value("${SERVER_VERSION}")
    private String version;

    public static void main(String[] args) {
        SpringApplication.run(RoutingServer.class, args);
    }

    @GetMapping("/router")
    public String router(HttpServletRequest request) {
        return "spring-server version: " + version + "; spring-server ip: " + request.getLocalAddr();
    }
}
