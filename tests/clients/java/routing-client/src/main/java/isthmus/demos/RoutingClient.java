// SPDX-License-Identifier: Apache-2.0
package isthmus.demos;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** An application that calls one service through every HTTP client that Java programmers have had. */
@SpringBootApplication
public class RoutingClient {
    public static void main(String[] args) {
        SpringApplication.run(RoutingClient.class, args);
    }
}
