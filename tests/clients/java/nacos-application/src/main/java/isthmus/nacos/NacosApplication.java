// SPDX-License-Identifier: Apache-2.0
package isthmus.nacos;

import com.alibaba.nacos.api.NacosFactory;
import com.alibaba.nacos.api.exception.NacosException;
import com.alibaba.nacos.api.naming.NamingService;
import com.alibaba.nacos.api.naming.pojo.Instance;
import com.alibaba.nacos.api.naming.pojo.ListView;
import com.alibaba.nacos.api.naming.pojo.ServiceInfo;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * An application on Nacos's own client, without Spring, the same for all versions of it. What it does is asked for on its
 * standard input, a command a line, whose words are encoded as in a query; each is answered by a line. `SERVICE` below is
 * three words: name, group, clusters with commas between them.
 */
public final class NacosApplication {
    private final Map<String, Properties> settings = new HashMap<>();
    private final Map<String, NamingService> services = new HashMap<>();
    private final Map<List<String>, Subscription> subscriptions = new HashMap<>();

    private NacosApplication() {}

    /** What a command is about: the words from the second on name the connection and the service. */
    private static final class Question {
        final String[] words;

        Question(String[] words) {
            this.words = words;
        }

        String name() {
            return words[2];
        }

        String group() {
            return words[3];
        }

        List<String> clusters() {
            return words[4].isEmpty() ? new ArrayList<>() : Arrays.asList(words[4].split(","));
        }

        /** The word after those that name the service. */
        boolean flag(int number) {
            return Boolean.parseBoolean(words[5 + number]);
        }

        List<String> key() {
            return Arrays.asList(words).subList(1, 5);
        }
    }

    /** `connect ID KEY VALUE...`: a client of its own, with these properties. */
    private String connect(String[] words) throws NacosException {
        Properties properties = new Properties();
        for (int i = 2; i + 1 < words.length; i += 2) {
            properties.setProperty(words[i], words[i + 1]);
        }
        settings.put(words[1], properties);
        services.put(words[1], NacosFactory.createNamingService(properties));
        return "ok";
    }

    /** `close ID`: with versions that can be closed. */
    private String close(String id) throws NacosException {
        services.remove(id).shutDown();
        return "ok";
    }

    /** `pick ID SERVICE TIMES`: how often each is chosen by the client's own balancer. */
    private static String pick(NamingService service, Question asked) throws NacosException {
        Map<String, Integer> counts = new TreeMap<>();
        for (int i = Integer.parseInt(asked.words[5]); i > 0; i--) {
            Instance chosen = service.selectOneHealthyInstance(asked.name(), asked.group(), asked.clusters(), true);
            counts.merge(chosen.getIp() + ":" + chosen.getPort(), 1, Integer::sum);
        }
        return counts.toString();
    }

    /** `register ID SERVICE PLACE WEIGHT EPHEMERAL [KEY VALUE]...`, where the clusters are the one of the instance. */
    private static Instance instance(Question asked) {
        Instance own = place(asked.words[5]);
        own.setWeight(Double.parseDouble(asked.words[6]));
        own.setEphemeral(Boolean.parseBoolean(asked.words[7]));
        for (int i = 8; i + 1 < asked.words.length; i += 2) {
            own.getMetadata().put(asked.words[i], asked.words[i + 1]);
        }
        return cluster(own, asked);
    }

    private static Instance place(String place) {
        Instance own = new Instance();
        int colon = place.lastIndexOf(':');
        own.setIp(place.substring(0, colon));
        own.setPort(Integer.parseInt(place.substring(colon + 1)));
        own.setMetadata(new HashMap<>());
        return own;
    }

    private static Instance cluster(Instance own, Question asked) {
        if (!asked.words[4].isEmpty()) {
            own.setClusterName(asked.words[4]);
        }
        return own;
    }

    /** `batch ID SERVICE PLACE...`, and `unbatch`. */
    private static List<Instance> batch(Question asked) {
        return Arrays.stream(asked.words).skip(5).map(word -> cluster(place(word), asked)).collect(Collectors.toList());
    }

    /** `services ID PAGE SIZE GROUP`: the count, then the names. */
    private static String names(NamingService service, String[] words) throws NacosException {
        ListView<String> view = service.getServicesOfServer(Integer.parseInt(words[2]), Integer.parseInt(words[3]), words[4]);
        return view.getCount() + " " + view.getData().stream().map(Text::encode).collect(Collectors.joining(" "));
    }

    private static String subscribed(NamingService service) throws NacosException {
        return service.getSubscribeServices().stream().map(ServiceInfo::getName).sorted().collect(Collectors.joining(" "));
    }

    /** `config ID DATA_ID GROUP`: what stands there, by a client of the configuration that is made for this question. */
    private String config(String[] words) throws NacosException {
        return Text.encode(String.valueOf(
                NacosFactory.createConfigService(settings.get(words[1])).getConfig(words[2], words[3], 5000)));
    }

    private String subscribe(NamingService service, Question asked) throws NacosException {
        Subscription made = new Subscription();
        subscriptions.put(asked.key(), made);
        service.subscribe(asked.name(), asked.group(), asked.clusters(), made);
        return "ok";
    }

    private String unsubscribe(NamingService service, Question asked) throws NacosException {
        service.unsubscribe(asked.name(), asked.group(), asked.clusters(), subscriptions.get(asked.key()));
        return "ok";
    }

    /** Those that change nothing. */
    private String read(NamingService service, Question asked) throws NacosException {
        switch (asked.words[0]) {
            case "all":
                return Text.of(service.getAllInstances(asked.name(), asked.group(), asked.clusters(), asked.flag(0)));
            case "select":
                return Text.of(service.selectInstances(asked.name(), asked.group(), asked.clusters(), asked.flag(1), asked.flag(0)));
            case "pick":
                return pick(service, asked);
            case "services":
                return names(service, asked.words);
            case "subscribed":
                return subscribed(service);
            case "status":
                return service.getServerStatus();
            case "events":
                return subscriptions.get(asked.key()).toString();
            default:
                return "unknown command";
        }
    }

    private String change(NamingService service, Question asked) throws NacosException {
        switch (asked.words[0]) {
            case "subscribe":
                return subscribe(service, asked);
            case "unsubscribe":
                return unsubscribe(service, asked);
            case "register":
                service.registerInstance(asked.name(), asked.group(), instance(asked));
                return "ok";
            case "deregister":
                service.deregisterInstance(asked.name(), asked.group(), instance(asked));
                return "ok";
            case "batch":
                service.batchRegisterInstance(asked.name(), asked.group(), batch(asked));
                return "ok";
            case "unbatch":
                service.batchDeregisterInstance(asked.name(), asked.group(), batch(asked));
                return "ok";
            default:
                return read(service, asked);
        }
    }

    private String answer(String[] words) throws NacosException {
        switch (words[0]) {
            case "connect":
                return connect(words);
            case "close":
                return close(words[1]);
            case "config":
                return config(words);
            default:
                return change(services.get(words[1]), new Question(words));
        }
    }

    /** Answers until its standard input ends. Old versions lack methods of newer ones: that is an answer, too. */
    private void run() throws IOException {
        System.out.println("started");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String answer;
            try {
                answer = answer(Text.words(line));
            } catch (NacosException | RuntimeException | NoSuchMethodError error) {
                answer = "error " + Text.encode(error.toString());
            }
            System.out.println("answer " + answer);
        }
        System.exit(0);
    }

    public static void main(String[] args) throws IOException {
        new NacosApplication().run();
    }
}
