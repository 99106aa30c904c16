// SPDX-License-Identifier: Apache-2.0
package isthmus.eureka;

import com.netflix.appinfo.ApplicationInfoManager;
import com.netflix.appinfo.InstanceInfo;
import com.netflix.appinfo.MyDataCenterInstanceConfig;
import com.netflix.appinfo.providers.EurekaConfigBasedInstanceInfoProvider;
import com.netflix.client.config.CommonClientConfigKey;
import com.netflix.client.config.DefaultClientConfigImpl;
import com.netflix.discovery.DefaultEurekaClientConfig;
import com.netflix.discovery.DiscoveryClient;
import com.netflix.discovery.shared.Application;
import com.netflix.loadbalancer.PollingServerListUpdater;
import com.netflix.loadbalancer.Server;
import com.netflix.loadbalancer.ZoneAvoidanceRule;
import com.netflix.loadbalancer.ZoneAwareLoadBalancer;
import com.netflix.niws.loadbalancer.DefaultNIWSServerListFilter;
import com.netflix.niws.loadbalancer.DiscoveryEnabledNIWSServerList;
import com.netflix.niws.loadbalancer.DiscoveryEnabledServer;
import com.netflix.niws.loadbalancer.NIWSDiscoveryPing;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * An application from before the mesh: it registers, keeps the list of its Eureka server, and balances with Ribbon. What it
 * knows is asked for on its standard input, a command a line, each answered by a line.
 */
public final class EurekaApplication {
    private final DiscoveryClient client;
    private final ApplicationInfoManager manager;
    private final Map<String, ZoneAwareLoadBalancer<DiscoveryEnabledServer>> balancers = new HashMap<>();

    private EurekaApplication() {
        MyDataCenterInstanceConfig config = new MyDataCenterInstanceConfig();
        InstanceInfo info = new EurekaConfigBasedInstanceInfoProvider(config).get();
        manager = new ApplicationInfoManager(config, info);
        DefaultEurekaClientConfig clientConfig = new DefaultEurekaClientConfig();
        client = new DiscoveryClient(manager, clientConfig);
        manager.setInstanceStatus(InstanceInfo.InstanceStatus.UP);
    }

    /** Ribbon as Spring Cloud Netflix sets it up, without a cache of its own in the way. */
    private ZoneAwareLoadBalancer<DiscoveryEnabledServer> balancer(String vip) {
        return balancers.computeIfAbsent(vip, name -> {
            DefaultClientConfigImpl config = new DefaultClientConfigImpl();
            config.loadDefaultValues();
            config.setClientName(name);
            config.set(CommonClientConfigKey.DeploymentContextBasedVipAddresses, name);
            config.set(CommonClientConfigKey.ServerListRefreshInterval, 500);
            DiscoveryEnabledNIWSServerList list = new DiscoveryEnabledNIWSServerList(config, () -> client);
            return new ZoneAwareLoadBalancer<>(config, new ZoneAvoidanceRule(), new NIWSDiscoveryPing(), list,
                    new DefaultNIWSServerListFilter<>(), new PollingServerListUpdater(config));
        });
    }

    /** How often Ribbon chooses which server. */
    private String choose(String vip, int times) {
        Map<String, Integer> counts = new TreeMap<>();
        for (int i = 0; i < times; i++) {
            Server server = balancer(vip).chooseServer(null);
            counts.merge(server != null ? server.getHostPort() : "none", 1, Integer::sum);
        }
        return counts.toString();
    }

    /** How often the client itself does, round robin over its shuffled list. */
    private String next(String vip, int times) {
        Map<String, Integer> counts = new TreeMap<>();
        for (int i = 0; i < times; i++) {
            InstanceInfo info = client.getNextServerFromEureka(vip, false);
            counts.merge(info.getHostName() + ":" + info.getPort(), 1, Integer::sum);
        }
        return counts.toString();
    }

    /** Everything that it knows: APP/ID/STATUS/VIPS. */
    private String list() {
        TreeSet<String> lines = new TreeSet<>();
        for (Application app : client.getApplications().getRegisteredApplications()) {
            for (InstanceInfo info : app.getInstancesAsIsFromEureka()) {
                lines.add(app.getName() + "/" + info.getId() + "/" + info.getStatus() + "/" + info.getVIPAddress());
            }
        }
        return String.join(" ", lines);
    }

    private String answer(String[] words) {
        switch (words[0]) {
            case "list":
                return list();
            case "hash":
                return client.getApplications().getReconcileHashCode();
            case "choose":
                return choose(words[1], Integer.parseInt(words[2]));
            case "next":
                return next(words[1], Integer.parseInt(words[2]));
            case "remote":
                return client.getInstanceRemoteStatus().toString();
            case "status":
                manager.setInstanceStatus(InstanceInfo.InstanceStatus.valueOf(words[1]));
                return "ok";
            default:
                return "unknown command";
        }
    }

    public static void main(String[] args) throws IOException {
        EurekaApplication application = new EurekaApplication();
        System.out.println("started");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String answer;
            try {
                answer = application.answer(line.trim().split(" "));
            } catch (RuntimeException error) {
                answer = "error " + error;
            }
            System.out.println("answer " + answer);
        }
        application.client.shutdown();
        System.exit(0);
    }
}
