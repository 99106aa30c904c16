// SPDX-License-Identifier: Apache-2.0
package isthmus.demos;

import java.time.LocalDateTime;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** The service that is to be found: it tells the time. */
@SpringBootApplication
@RestController
public class DiscoveryServer {
    public static void main(String[] args) {
        SpringApplication.run(DiscoveryServer.class, args);
    }

    @GetMapping("/hello")
    public String hello() {
        return "hello, the current time is " + LocalDateTime.now();
    }
}
