// SPDX-License-Identifier: Apache-2.0
package isthmus.demos;

import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.ResponseStatusException;

/** `/router/NAME` calls the service with the client of that name; its answer, or nothing where there was none. */
@RestController
public class SpringClientController {
    private static final Logger LOG = LoggerFactory.getLogger(SpringClientController.class);

    private final Map<String, Caller> callers;

    public SpringClientController(Map<String, Caller> callers) {
        this.callers = callers;
    }

    @GetMapping("/router/{name}")
    public String router(@PathVariable String name, @RequestParam String host, @RequestParam String version) {
        Caller caller = callers.get(name);
        if (caller == null) {
            throw new ResponseStatusException(HttpStatus.NOT_FOUND, "no client " + name + ", but " + callers.keySet());
        }
        try {
            return caller.get("http://" + host + "/router", version);
        } catch (Exception error) {
            LOG.warn("{} {}: {}", name, host, error.toString());
            return "";
        }
    }
}
