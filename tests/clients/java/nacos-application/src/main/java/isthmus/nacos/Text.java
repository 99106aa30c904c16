// SPDX-License-Identifier: Apache-2.0
package isthmus.nacos;

import com.alibaba.nacos.api.naming.pojo.Instance;
import java.io.UnsupportedEncodingException;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.util.Arrays;
import java.util.Collection;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Words of a line, each encoded as in a query, so that it may have spaces. */
final class Text {
    private Text() {}

    static String encode(String text) {
        try {
            return URLEncoder.encode(text, "UTF-8");
        } catch (UnsupportedEncodingException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private static String decode(String word) {
        try {
            return URLDecoder.decode(word, "UTF-8");
        } catch (UnsupportedEncodingException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** Empty words count. */
    static String[] words(String line) {
        return Arrays.stream(line.split(" ", -1)).map(Text::decode).toArray(String[]::new);
    }

    static String of(Collection<Instance> instances) {
        return instances.stream().map(Text::of).collect(Collectors.joining(" "));
    }

    /** The fields, with | between them, the metadata last as it would stand in a query. */
    private static String of(Instance one) {
        String metadata = new TreeMap<>(one.getMetadata()).entrySet().stream()
                .map(pair -> encode(pair.getKey()) + "=" + encode(pair.getValue())).collect(Collectors.joining("&"));
        return Arrays.asList(one.getIp(), one.getPort(), one.getWeight(), one.isHealthy(), one.isEnabled(), one.isEphemeral(),
                one.getClusterName(), one.getServiceName(), one.getInstanceId()).stream()
                .map(field -> encode(String.valueOf(field))).collect(Collectors.joining("|", "", "|")) + metadata;
    }
}
