package dev.usher.server.web;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.actuate.autoconfigure.web.server.ConditionalOnManagementPort;
import org.springframework.boot.actuate.autoconfigure.web.server.ManagementPortType;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.core.Ordered;
import org.springframework.web.method.HandlerMethod;
import org.springframework.web.servlet.HandlerAdapter;
import org.springframework.web.servlet.HandlerExecutionChain;
import org.springframework.web.servlet.HandlerMapping;
import org.springframework.web.servlet.ModelAndView;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerAdapter;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerMapping;
import tools.jackson.databind.json.JsonMapper;

/**
 * Adds to the actuator's own port what the server's port answers too: problems, the published keys, and the OpenAPI document. Spring Boot has a
 * web server and a dispatcher of its own there, without the server's controllers.
 *
 * <p>Not a {@code @Configuration}, which the component scan would add to the server's own context.
 */
@ConditionalOnManagementPort(ManagementPortType.DIFFERENT)
class ManagementPort {

    private static final Set<String> PATHS =
            Set.of("/error", "/.well-known/jwks.json", "/v3/api-docs", "/v3/api-docs.yaml");

    @Bean
    ContainerProblems containerProblems(JsonMapper mapper) {
        return new ContainerProblems(mapper);
    }

    @Bean
    ServersMapping serversMapping(ApplicationContext management) {
        return new ServersMapping(
                server(management).getBean("requestMappingHandlerMapping", RequestMappingHandlerMapping.class));
    }

    @Bean
    ServersAdapter serversAdapter(ApplicationContext management) {
        return new ServersAdapter(
                server(management).getBean("requestMappingHandlerAdapter", RequestMappingHandlerAdapter.class));
    }

    private static ApplicationContext server(ApplicationContext management) {
        return Objects.requireNonNull(management.getParent(), "the server's context");
    }

    /** Maps some addresses to the server's handlers, before those of Spring Boot. */
    record ServersMapping(RequestMappingHandlerMapping server) implements HandlerMapping, Ordered {

        @Override
        public @Nullable HandlerExecutionChain getHandler(HttpServletRequest request) throws Exception {
            return PATHS.contains(request.getRequestURI()) ? server.getHandler(request) : null;
        }

        @Override
        public boolean usesPathPatterns() {
            return server.usesPathPatterns();
        }

        @Override
        public int getOrder() {
            return HIGHEST_PRECEDENCE;
        }
    }

    /** Calls the server's handlers, with the server's own JSON mapper; the actuator's operations are left to Spring Boot. */
    record ServersAdapter(RequestMappingHandlerAdapter server) implements HandlerAdapter, Ordered {

        @Override
        public boolean supports(Object handler) {
            return handler instanceof HandlerMethod method
                    && !method.getBeanType().getName().startsWith("org.springframework.boot.")
                    && server.supports(handler);
        }

        @Override
        public @Nullable ModelAndView handle(HttpServletRequest request, HttpServletResponse response, Object handler)
                throws Exception {
            return server.handle(request, response, handler);
        }

        @Override
        public int getOrder() {
            return HIGHEST_PRECEDENCE;
        }
    }
}
