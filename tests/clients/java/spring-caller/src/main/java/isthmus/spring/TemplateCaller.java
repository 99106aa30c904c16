// SPDX-License-Identifier: Apache-2.0
package isthmus.spring;

import java.net.URI;
import java.util.function.Supplier;
import org.springframework.stereotype.Component;
import org.springframework.web.client.RestTemplate;

/** RestTemplate. */
@Component("template")
public class TemplateCaller implements Caller {
    private final RestTemplate template;

    /** With the balanced one. */
    public TemplateCaller(RestTemplate template) {
        this.template = template;
    }

    @Override
    public Supplier<String> to(String url) {
        URI uri = URI.create(url + "/");
        return () -> template.getForObject(uri, String.class);
    }
}
