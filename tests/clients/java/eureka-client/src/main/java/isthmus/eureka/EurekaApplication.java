// SPDX-License-Identifier: Apache-2.0
package isthmus.eureka;

import com.netflix.client.config.CommonClientConfigKey;
import com.netflix.client.config.DefaultClientConfigImpl;
import com.netflix.discovery.DiscoveryClient;
import com.netflix.loadbalancer.PollingServerListUpdater;
import com.netflix.loadbalancer.Server;
import com.netflix.loadbalancer.ZoneAvoidanceRule;
import com.netflix.loadbalancer.ZoneAwareLoadBalancer;
import com.netflix.niws.loadbalancer.DefaultNIWSServerListFilter;
import com.netflix.niws.loadbalancer.DiscoveryEnabledNIWSServerList;
import com.netflix.niws.loadbalancer.DiscoveryEnabledServer;
import com.netflix.niws.loadbalancer.NIWSDiscoveryPing;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/** Netflix's client over Jersey 1, and Ribbon on it. */
public final class EurekaApplication extends PlainApplication {
    private final Map<String, ZoneAwareLoadBalancer<DiscoveryEnabledServer>> balancers = new HashMap<>();

    private EurekaApplication() {
        super(DiscoveryClient::new);
    }

    /** Ribbon as Spring Cloud Netflix sets it up, without a cache of its own in the way. */
    private ZoneAwareLoadBalancer<DiscoveryEnabledServer> balancer(String vip) {
        return balancers.computeIfAbsent(vip, name -> {
            DefaultClientConfigImpl config = new DefaultClientConfigImpl();
            config.loadDefaultValues();
            config.setClientName(name);
            config.set(CommonClientConfigKey.DeploymentContextBasedVipAddresses, name);
            config.set(CommonClientConfigKey.ServerListRefreshInterval, 500);
            DiscoveryEnabledNIWSServerList list = new DiscoveryEnabledNIWSServerList(config, this::client);
            return new ZoneAwareLoadBalancer<>(config, new ZoneAvoidanceRule(), new NIWSDiscoveryPing(), list,
                    new DefaultNIWSServerListFilter<>(), new PollingServerListUpdater(config));
        });
    }

    private String choose(String vip) {
        Server server = balancer(vip).chooseServer(null);
        return server != null ? server.getHostPort() : "none";
    }

    @Override
    protected String answer(String[] words) throws IOException {
        return words[0].equals("choose") ? counts(Integer.parseInt(words[2]), () -> choose(words[1])) : super.answer(words);
    }

    public static void main(String[] args) throws IOException {
        new EurekaApplication().run();
    }
}
