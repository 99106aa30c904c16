// SPDX-License-Identifier: Apache-2.0
package isthmus.eureka;

import com.netflix.discovery.DiscoveryClient;
import java.io.IOException;

/** Netflix's client as Spring Cloud Edgware shipped it. */
public final class OldApplication {
    private OldApplication() {}

    public static void main(String[] args) throws IOException {
        new PlainApplication(DiscoveryClient::new).run();
    }
}
