// SPDX-License-Identifier: Apache-2.0
package isthmus.eureka;

import com.netflix.appinfo.ApplicationInfoManager;
import com.netflix.appinfo.InstanceInfo;
import com.netflix.appinfo.MyDataCenterInstanceConfig;
import com.netflix.appinfo.providers.EurekaConfigBasedInstanceInfoProvider;
import com.netflix.discovery.DefaultEurekaClientConfig;
import com.netflix.discovery.EurekaClient;
import com.netflix.discovery.EurekaClientConfig;
import com.netflix.discovery.shared.Application;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BiFunction;
import java.util.function.Supplier;

/**
 * An application from before the mesh: it registers and keeps the list of its Eureka server. What it knows is asked for on its
 * standard input, a command a line, each answered by a line. The same for every version of Netflix's client, but for how that
 * is made.
 */
public class PlainApplication {
    private final ApplicationInfoManager manager;
    private final EurekaClient client;

    /** Its settings are the system properties. */
    public PlainApplication(BiFunction<ApplicationInfoManager, EurekaClientConfig, EurekaClient> connect) {
        MyDataCenterInstanceConfig config = new MyDataCenterInstanceConfig();
        manager = new ApplicationInfoManager(config, new EurekaConfigBasedInstanceInfoProvider(config).get());
        client = connect.apply(manager, new DefaultEurekaClientConfig());
        manager.setInstanceStatus(InstanceInfo.InstanceStatus.UP);
    }

    protected final EurekaClient client() {
        return client;
    }

    /** How often each of what is chosen. */
    protected static String counts(int times, Supplier<String> choose) {
        Map<String, Integer> counts = new TreeMap<>();
        for (int i = 0; i < times; i++) {
            counts.merge(choose.get(), 1, Integer::sum);
        }
        return counts.toString();
    }

    /** Round robin over the client's shuffled list. */
    private String next(String vip) {
        InstanceInfo info = client.getNextServerFromEureka(vip, false);
        return info.getHostName() + ":" + info.getPort();
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

    protected String answer(String[] words) throws IOException {
        switch (words[0]) {
            case "list":
                return list();
            case "hash":
                return client.getApplications().getReconcileHashCode();
            case "next":
                return counts(Integer.parseInt(words[2]), () -> next(words[1]));
            case "remote":
                return client.getInstanceRemoteStatus().toString();
            case "status":
                manager.setInstanceStatus(InstanceInfo.InstanceStatus.valueOf(words[1]));
                return "ok";
            case "decode":
                return Reading.decode(Reading.codec(words[1]), words[2], words[3]);
            default:
                return "unknown command";
        }
    }

    /** Answers until its standard input ends, then takes its leave. */
    public final void run() throws IOException {
        System.out.println("started");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String answer;
            try {
                answer = answer(line.trim().split(" "));
            } catch (IOException | RuntimeException error) {
                answer = "error " + error;
            }
            System.out.println("answer " + answer);
        }
        client.shutdown();
        System.exit(0);
    }
}
