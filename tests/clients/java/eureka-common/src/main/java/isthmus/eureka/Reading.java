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
import java.util.Map;
import java.util.TreeMap;

/** What a decoder has understood of a body, as text that a test compares with what the body says. */
public final class Reading {
    private Reading() {}

    /** The class of the message whose root has this name. */
    public static Class<?> type(String root) {
        switch (root) {
            case "applications":
                return Applications.class;
            case "application":
                return Application.class;
            default:
                return InstanceInfo.class;
        }
    }

    /** Reads a file with one of the client's codecs, by its simple name. */
    public static String decode(String codec, String root, String file) throws IOException {
        try (InputStream body = Files.newInputStream(Paths.get(file))) {
            return describe(CodecWrappers.getDecoder(codec).decode(body, type(root)));
        }
    }

    /** First the version and the hash code, where there are any, then the instances, sorted; tabs in between. */
    @SuppressWarnings("deprecation") // the version has no other getter
    public static String describe(Object message) {
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

    private static String describe(InstanceInfo info) {
        Map<String, String> metadata = new TreeMap<>(info.getMetadata());
        return String.join("|", info.getAppName(), info.getId(), info.getHostName(), info.getIPAddr(),
                info.getPort() + "/" + info.isPortEnabled(PortType.UNSECURE),
                info.getSecurePort() + "/" + info.isPortEnabled(PortType.SECURE), info.getStatus().toString(),
                info.getOverriddenStatus().toString(), String.valueOf(info.getVIPAddress()),
                String.valueOf(info.getSecureVipAddress()), String.valueOf(info.getHomePageUrl()),
                info.getDataCenterInfo().getName().toString(), String.valueOf(info.getActionType()), metadata.toString());
    }
}
