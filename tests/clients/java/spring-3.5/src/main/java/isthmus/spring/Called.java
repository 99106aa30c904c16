// SPDX-License-Identifier: Apache-2.0
package isthmus.spring;

import java.net.URI;
import org.springframework.cloud.openfeign.FeignClient;
import org.springframework.web.bind.annotation.GetMapping;

/** Whoever is called; the host of the URL goes before the name, and is looked up as it would be. */
@FeignClient(name = "reviews")
interface Called {
    @GetMapping
    String get(URI url);
}
