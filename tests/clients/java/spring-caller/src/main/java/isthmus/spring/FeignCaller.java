// SPDX-License-Identifier: Apache-2.0
package isthmus.spring;

import java.util.function.Supplier;
import org.springframework.cloud.openfeign.EnableFeignClients;
import org.springframework.cloud.openfeign.FeignClientBuilder;
import org.springframework.context.ApplicationContext;
import org.springframework.stereotype.Component;
import org.springframework.web.bind.annotation.GetMapping;

/** Feign, as an application uses it that learns the names at run time. */
@Component("feign")
@EnableFeignClients
public class FeignCaller implements Caller {
    private final FeignClientBuilder builder;

    /** What is called. */
    public interface Echo {
        /** Address and port of who has answered. */
        @GetMapping("/")
        String place();
    }

    /** Of the application. */
    public FeignCaller(ApplicationContext context) {
        builder = new FeignClientBuilder(context);
    }

    @Override
    public Supplier<String> to(String url) {
        return builder.forType(Echo.class, url).build()::place;
    }
}
