package dev.usher.server.web;

import dev.usher.server.ServerLimits;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.ServletException;
import java.io.IOException;
import java.util.EnumSet;
import org.apache.catalina.connector.Request;
import org.apache.catalina.connector.Response;
import org.apache.catalina.valves.ValveBase;
import org.apache.coyote.ActionCode;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.tomcat.servlet.TomcatServletWebServerFactory;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;

/**
 * Keeps slow clients from holding threads, and closes their connections in time. It is part of the server's context and of that of the actuator's
 * own port.
 */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(ServerLimits.class)
class SlowClients {

    /** All answers of a connection that {@link AnswerWriter} does not write fit into it. */
    private static final int SEND_BUFFER = 256 << 10;

    @Bean
    FilterRegistrationBean<BodyReader> bodyReader(
            ServerLimits limits,
            @Value("${spring.jackson.factory.constraints.read.max-document-length}") int longestBody) {
        FilterRegistrationBean<BodyReader> filter = new FilterRegistrationBean<>(new BodyReader(
                longestBody, limits.bodyTimeout(), limits.bufferedBodies().toBytes()));
        filter.setDispatcherTypes(EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC));
        filter.setOrder(Ordered.HIGHEST_PRECEDENCE);
        return filter;
    }

    /** Also for requests with a body, which come by a dispatch. */
    @Bean
    FilterRegistrationBean<AnswerWriter> answerWriter(ServerLimits limits, ProblemResponses problems) {
        FilterRegistrationBean<AnswerWriter> filter = new FilterRegistrationBean<>(
                new AnswerWriter(limits.bodyTimeout(), limits.bufferedAnswers().toBytes(), problems));
        filter.setDispatcherTypes(EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC));
        filter.setOrder(Ordered.HIGHEST_PRECEDENCE);
        return filter;
    }

    @Bean
    WebServerFactoryCustomizer<TomcatServletWebServerFactory> timedConnections(ServerLimits limits) {
        return factory -> {
            factory.setProtocol(TimedHttpProtocol.class.getName());
            factory.addConnectorCustomizers(connector -> {
                connector.setProperty("socket.txBufSize", Integer.toString(SEND_BUFFER));
                ((TimedHttpProtocol) connector.getProtocolHandler()).setHeadTimeout(limits.headTimeout());
            });
            factory.addContextCustomizers(
                    context -> context.getParent().getPipeline().addValve(new UnreadBodies()));
        };
    }

    /**
     * Does not wait for a body that no filter has read, such as that of a method which Tomcat refuses by itself. After a dispatch, Tomcat does not
     * wait for it anyway.
     */
    private static final class UnreadBodies extends ValveBase {

        UnreadBodies() {
            super(true);
        }

        @Override
        public void invoke(Request request, Response response) throws IOException, ServletException {
            boolean dispatched = request.isAsyncDispatching();
            request.setAttribute(AnswerWriter.CUT_OFF, (Runnable)
                    () -> response.getCoyoteResponse().action(ActionCode.CLOSE_NOW, null));
            getNext().invoke(request, response);
            if (!dispatched && !request.isAsync() && !request.isFinished()) {
                request.getCoyoteRequest().action(ActionCode.DISABLE_SWALLOW_INPUT, null);
            }
        }
    }
}
