// SPDX-License-Identifier: Apache-2.0
package isthmus.nacos;

import com.alibaba.nacos.core.code.ControllerMethodsCache;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.concurrent.TimeUnit;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.actuate.autoconfigure.security.servlet.ManagementWebSecurityAutoConfiguration;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.autoconfigure.security.servlet.SecurityAutoConfiguration;
import org.springframework.boot.autoconfigure.security.servlet.SecurityFilterAutoConfiguration;
import org.springframework.boot.autoconfigure.security.servlet.UserDetailsServiceAutoConfiguration;
import org.springframework.context.ApplicationContext;
import org.springframework.scheduling.annotation.EnableScheduling;

/**
 * Nacos's own naming server, alone and without users: HTTP on the port of the first argument, gRPC 1000 above, and two more around
 * these. It listens on every interface, so that it belongs into a network of its own. Its files go into the folder of the second.
 */
@SpringBootApplication(scanBasePackages = "com.alibaba.nacos", exclude = {SecurityAutoConfiguration.class,
    UserDetailsServiceAutoConfiguration.class, SecurityFilterAutoConfiguration.class,
    ManagementWebSecurityAutoConfiguration.class})
@EnableScheduling
public class NacosServer {
    /** Its data base is young and the machine may be busy. */
    private static final long DATA_BASE_MS = TimeUnit.MINUTES.toMillis(2);

    public static void main(String[] args) throws IOException {
        Path home = Files.createDirectories(Paths.get(args[1]));
        System.setProperty("nacos.home", home.toString());
        System.setProperty("nacos.standalone", "true");
        System.setProperty("nacos.server.ip", "127.0.0.1");
        System.setProperty("nacos.core.auth.enabled", "false");
        System.setProperty("db.pool.config.connectionTimeout", Long.toString(DATA_BASE_MS));
        System.setProperty("derby.stream.error.file", home.resolve("derby.log").toString());
        ApplicationContext context = SpringApplication.run(NacosServer.class, "--server.port=" + args[0]);
        ControllerMethodsCache methods = context.getBean(ControllerMethodsCache.class); // what is not there is answered 501
        methods.initClassMethod("com.alibaba.nacos.core.controller");
        methods.initClassMethod("com.alibaba.nacos.naming.controllers");
        System.out.println("listening 127.0.0.1:" + args[0]);
    }
}
