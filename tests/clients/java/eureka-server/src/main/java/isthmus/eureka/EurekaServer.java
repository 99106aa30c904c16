// SPDX-License-Identifier: Apache-2.0
package isthmus.eureka;

import com.netflix.appinfo.ApplicationInfoManager;
import com.netflix.appinfo.MyDataCenterInstanceConfig;
import com.netflix.appinfo.providers.EurekaConfigBasedInstanceInfoProvider;
import com.netflix.config.ConfigurationManager;
import com.netflix.discovery.DefaultEurekaClientConfig;
import com.netflix.discovery.DiscoveryClient;
import com.netflix.discovery.EurekaClientConfig;
import com.netflix.discovery.provider.DiscoveryJerseyProvider;
import com.netflix.eureka.DefaultEurekaServerConfig;
import com.netflix.eureka.DefaultEurekaServerContext;
import com.netflix.eureka.EurekaServerConfig;
import com.netflix.eureka.EurekaServerContextHolder;
import com.netflix.eureka.cluster.PeerEurekaNodes;
import com.netflix.eureka.registry.PeerAwareInstanceRegistry;
import com.netflix.eureka.registry.PeerAwareInstanceRegistryImpl;
import com.netflix.eureka.resources.ApplicationsResource;
import com.netflix.eureka.resources.DefaultServerCodecs;
import com.netflix.eureka.resources.InstancesResource;
import com.netflix.eureka.resources.PeerReplicationResource;
import com.netflix.eureka.resources.SecureVIPResource;
import com.netflix.eureka.resources.ServerCodecs;
import com.netflix.eureka.resources.ServerInfoResource;
import com.netflix.eureka.resources.StatusResource;
import com.netflix.eureka.resources.VIPResource;
import com.sun.jersey.api.core.DefaultResourceConfig;
import com.sun.jersey.spi.container.servlet.ServletContainer;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;

/**
 * Netflix's registry in an embedded Tomcat, mounted as Spring Cloud Netflix mounts it: a Jersey filter on /eureka/*, the codecs
 * of the reference. It is alone: no peers, not its own client, not in its own list. Loopback only; the port is the first
 * argument, or the kernel's choice. Settings are the registry's own: -Deureka.shouldUseReadOnlyResponseCache=false and so on.
 */
public final class EurekaServer {
    private static final String ADDRESS = "127.0.0.1";

    private EurekaServer() {
    }

    /** Nobody to replicate to, so that no address is ever looked for. */
    private static final class NoPeers extends PeerEurekaNodes {
        NoPeers(PeerAwareInstanceRegistry registry, EurekaServerConfig server, EurekaClientConfig client, ServerCodecs codecs,
                ApplicationInfoManager manager) {
            super(registry, server, client, codecs, manager);
        }

        @Override
        protected List<String> resolvePeerUrls() {
            return Collections.emptyList();
        }
    }

    private static void startRegistry() throws Exception {
        ConfigurationManager.getConfigInstance().setProperty("eureka.registration.enabled", "false");
        ConfigurationManager.getConfigInstance().setProperty("eureka.shouldFetchRegistry", "false");
        MyDataCenterInstanceConfig instance = new MyDataCenterInstanceConfig();
        ApplicationInfoManager manager =
                new ApplicationInfoManager(instance, new EurekaConfigBasedInstanceInfoProvider(instance).get());
        EurekaClientConfig client = new DefaultEurekaClientConfig();
        EurekaServerConfig server = new DefaultEurekaServerConfig();
        ServerCodecs codecs = new DefaultServerCodecs(server);
        PeerAwareInstanceRegistry registry =
                new PeerAwareInstanceRegistryImpl(server, client, codecs, new DiscoveryClient(manager, client));
        PeerEurekaNodes peers = new NoPeers(registry, server, client, codecs, manager);
        DefaultEurekaServerContext context = new DefaultEurekaServerContext(server, codecs, registry, peers, manager);
        EurekaServerContextHolder.initialize(context);
        context.initialize();
        registry.openForTraffic(manager, 1); // as Spring does: without peers there is nobody to wait for
    }

    /** All resources but that of AWS's scaling groups. */
    private static DefaultResourceConfig resources() {
        return new DefaultResourceConfig(DiscoveryJerseyProvider.class, ApplicationsResource.class, InstancesResource.class,
                PeerReplicationResource.class, SecureVIPResource.class, ServerInfoResource.class, StatusResource.class,
                VIPResource.class);
    }

    private static void mount(Context context) {
        FilterDef filter = new FilterDef();
        filter.setFilterName("eureka");
        filter.setFilter(new ServletContainer(resources()));
        context.addFilterDef(filter);
        FilterMap map = new FilterMap();
        map.setFilterName("eureka");
        map.addURLPattern("/eureka/*");
        context.addFilterMap(map);
        Tomcat.addServlet(context, "default", "org.apache.catalina.servlets.DefaultServlet");
        context.addServletMappingDecoded("/", "default");
    }

    /** Tomcat wants one; it goes when this process does. */
    private static File temporaryFolder() throws IOException {
        Path folder = Files.createTempDirectory("eureka-server");
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try (Stream<Path> files = Files.walk(folder)) {
                files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
            } catch (IOException error) {
                System.err.println(folder + " stays behind: " + error);
            }
        }));
        return folder.toFile();
    }

    public static void main(String[] args) throws Exception {
        File folder = temporaryFolder();
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(folder.getPath());
        tomcat.setPort(args.length > 0 ? Integer.parseInt(args[0]) : 0);
        tomcat.getConnector().setProperty("address", ADDRESS);
        startRegistry();
        mount(tomcat.addContext("", folder.getPath()));
        tomcat.start();
        System.out.println("listening http://" + ADDRESS + ":" + tomcat.getConnector().getLocalPort() + "/eureka/");
        tomcat.getServer().await();
    }
}
