// SPDX-License-Identifier: Apache-2.0
package isthmus.eureka;

import com.netflix.discovery.DiscoveryClient;
import com.netflix.discovery.Jersey3DiscoveryClientOptionalArgs;
import com.netflix.discovery.shared.transport.jersey3.Jersey3TransportClientFactories;
import java.io.IOException;

/** Netflix's client of today, over Jersey 3. */
public final class NewApplication {
    private NewApplication() {}

    public static void main(String[] args) throws IOException {
        new PlainApplication((manager, config) -> new DiscoveryClient(manager, config,
                Jersey3TransportClientFactories.getInstance(), new Jersey3DiscoveryClientOptionalArgs())).run();
    }
}
