// SPDX-License-Identifier: Apache-2.0
package isthmus.demos;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.web.client.RestTemplateBuilder;
import org.springframework.cloud.client.loadbalancer.LoadBalanced;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.HttpEntity;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.ResponseEntity;
import org.springframework.http.client.SimpleClientHttpRequestFactory;
import org.springframework.stereotype.Component;
import org.springframework.web.client.RestTemplate;

/** Spring's RestTemplate with Spring Cloud LoadBalancer: the host of the URL is the name of a service in a registry. */
@Component("restTemplate")
public class RestTemplateCaller implements Caller {
    private final RestTemplate template;

    public RestTemplateCaller(@LoadBalanced RestTemplate template) {
        this.template = template;
    }

    @Override
    public String get(String url, String version) {
        HttpHeaders headers = new HttpHeaders();
        headers.set(VERSION_HEADER, version);
        ResponseEntity<String> answer = template.exchange(url, HttpMethod.GET, new HttpEntity<>(headers), String.class);
        return Caller.checked(answer.getStatusCodeValue(), answer.getBody());
    }

    /** Makes the template, which the load balancer then finds by its mark. */
    @Configuration
    static class Templates {
        @Bean
        @LoadBalanced
        RestTemplate balancedTemplate(RestTemplateBuilder builder, @Value("${client.timeout-ms}") int timeoutMs) {
            SimpleClientHttpRequestFactory requests = new SimpleClientHttpRequestFactory();
            requests.setConnectTimeout(timeoutMs);
            requests.setReadTimeout(timeoutMs);
            return builder.requestFactory(() -> requests).build();
        }
    }
}
