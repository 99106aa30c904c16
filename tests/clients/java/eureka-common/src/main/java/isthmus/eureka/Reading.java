// SPDX-License-Identifier: Apache-2.0
package isthmus.eureka;

import com.netflix.appinfo.InstanceInfo;
import com.netflix.appinfo.InstanceInfo.PortType;
import com.netflix.discovery.converters.wrappers.CodecWrappers;
import com.netflix.discovery.shared.Application;
import com.netflix.discovery.shared.Applications;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;

/** What a decoder has understood of bodies, as text that a test compares with what they say. */
public final class Reading {
    /** A decoder of one of the client's messages. */
    public interface Decoder {
        Object decode(InputStream body, Class<?> type) throws IOException;
    }

    private Reading() {}

    /** One of the client's own, by its simple name. */
    public static Decoder codec(String name) {
        return CodecWrappers.getDecoder(name)::decode;
    }

    /** The class of the message whose root has this name. */
    private static Class<?> type(String root) {
        switch (root) {
            case "applications":
                return Applications.class;
            case "application":
                return Application.class;
            default:
                return InstanceInfo.class;
        }
    }

    /** Reads all bodies of a list, whose lines are `ROOT FILE`, and writes a line for each. */
    public static String decode(Decoder decoder, String list, String results) throws IOException {
        List<String> lines = new ArrayList<>();
        for (String line : Files.readAllLines(Paths.get(list))) {
            String[] words = line.split(" ");
            try (InputStream body = Files.newInputStream(Paths.get(words[1]))) {
                lines.add(describe(decoder.decode(body, type(words[0]))));
            } catch (IOException | RuntimeException error) {
                lines.add("error " + oneLine(error.toString()));
            }
        }
        Files.write(Paths.get(results), lines);
        return "ok";
    }

    private static String oneLine(String text) {
        return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r");
    }

    /** First the version and the hash code, where there are any, then the instances, sorted; tabs in between. */
    @SuppressWarnings("deprecation") // the version has no other getter
    private static String describe(Object message) {
        List<String> lines = new ArrayList<>();
        String first = "";
        if (message instanceof Applications) {
            Applications all = (Applications) message;
            first = all.getVersion() + "|" + all.getAppsHashCode();
            all.getRegisteredApplications().forEach(app -> add(app, lines));
        } else if (message instanceof Application) {
            add((Application) message, lines);
        } else {
            lines.add(describe((InstanceInfo) message));
        }
        Collections.sort(lines);
        lines.add(0, first);
        return String.join("\t", lines);
    }

    private static void add(Application app, List<String> lines) {
        for (InstanceInfo info : app.getInstancesAsIsFromEureka()) {
            lines.add(app.getName() + "|" + describe(info));
        }
    }

    /** The compact form has no overridden status, which one of the codecs leaves at null. */
    private static String overridden(InstanceInfo info) {
        return info.getOverriddenStatus() != null ? info.getOverriddenStatus().toString() : "UNKNOWN";
    }

    private static String describe(InstanceInfo info) {
        return oneLine(String.join("|", info.getAppName(), info.getId(), info.getHostName(), info.getIPAddr(),
                info.getPort() + "/" + info.isPortEnabled(PortType.UNSECURE),
                info.getSecurePort() + "/" + info.isPortEnabled(PortType.SECURE), info.getStatus().toString(),
                overridden(info), String.valueOf(info.getVIPAddress()), String.valueOf(info.getSecureVipAddress()),
                String.valueOf(info.getHomePageUrl()), String.valueOf(info.getStatusPageUrl()),
                new TreeSet<>(info.getHealthCheckUrls()).toString(), info.getDataCenterInfo().getName().toString(),
                String.valueOf(info.getActionType()), new TreeMap<>(info.getMetadata()).toString()));
    }
}
