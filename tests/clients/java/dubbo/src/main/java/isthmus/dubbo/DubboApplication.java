// SPDX-License-Identifier: Apache-2.0
package isthmus.dubbo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import org.apache.dubbo.rpc.RpcException;

/**
 * An application of Dubbo that offers a greeting, or asks for one; its registry is a property. Its arguments are its name and
 * what it is: "provider", or "consumer" with the application that it is told to ask, or "" where it is told none. A line makes
 * a consumer call; it ends with its input.
 */
public final class DubboApplication {
    private DubboApplication() {
    }

    private static void provide(DubboBootstrap application, String name) {
        ServiceConfig<Greeting> service = new ServiceConfig<>();
        service.setInterface(Greeting.class);
        service.setRef(who -> "hello " + who + " from " + name);
        application.protocol(new ProtocolConfig("dubbo", -1)).service(service).start();
    }

    /** Asks for the greeting, also where nobody offers it yet. */
    private static ReferenceConfig<Greeting> consume(DubboBootstrap application, String provider) {
        ReferenceConfig<Greeting> reference = new ReferenceConfig<>();
        reference.setInterface(Greeting.class);
        reference.setCheck(false);
        if (!provider.isEmpty()) {
            reference.setProvidedBy(provider);
        }
        application.reference(reference).start();
        return reference;
    }

    private static String call(ReferenceConfig<Greeting> reference, String name) {
        try {
            return reference.get().greet(name);
        } catch (RpcException error) {
            return "RpcException " + error.getCode() + ' ' + error.getMessage().replace('\n', ' ');
        }
    }

    public static void main(String[] args) throws IOException {
        ApplicationConfig about = new ApplicationConfig(args[0]);
        about.setQosEnable(false);
        about.setLogger("slf4j");
        DubboBootstrap application = DubboBootstrap.getInstance().application(about);
        ReferenceConfig<Greeting> reference = null;
        if (args[1].equals("provider")) {
            provide(application, args[0]);
        } else {
            reference = consume(application, args[2]);
        }
        System.out.println("started");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println("answer " + call(reference, line));
        }
        application.stop();
    }
}
