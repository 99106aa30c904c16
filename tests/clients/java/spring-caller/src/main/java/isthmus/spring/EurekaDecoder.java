// SPDX-License-Identifier: Apache-2.0
package isthmus.spring;

import com.fasterxml.jackson.databind.ObjectMapper;
import isthmus.eureka.Reading;
import java.io.IOException;
import org.springframework.cloud.netflix.eureka.http.RestTemplateTransportClientFactory;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** What is said of Eureka alone; applications of other registries are built without it. */
@RestController
public class EurekaDecoder {
    /** What Spring's own mapper, which takes no unknown field, understands of bodies. */
    @GetMapping("/decode")
    public String decode(@RequestParam String list, @RequestParam String results) throws IOException {
        ObjectMapper mapper = new RestTemplateTransportClientFactory().mappingJacksonHttpMessageConverter().getObjectMapper();
        return Reading.decode((body, type) -> mapper.readValue(body, type), list, results);
    }
}
