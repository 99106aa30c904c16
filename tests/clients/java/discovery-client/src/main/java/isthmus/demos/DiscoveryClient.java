// SPDX-License-Identifier: Apache-2.0
package isthmus.demos;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** An application that knows neither a registry nor a mesh: it calls the address that it is given. */
@SpringBootApplication
public class DiscoveryClient {
    public static void main(String[] args) {
        SpringApplication.run(DiscoveryClient.class, args);
    }
}
