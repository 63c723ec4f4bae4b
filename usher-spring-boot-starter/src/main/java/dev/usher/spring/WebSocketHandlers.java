package dev.usher.spring;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.config.InstantiationAwareBeanPostProcessor;
import org.springframework.web.servlet.handler.SimpleUrlHandlerMapping;
import org.springframework.web.socket.server.HandshakeInterceptor;
import org.springframework.web.socket.server.support.WebSocketHttpRequestHandler;
import org.springframework.web.socket.sockjs.support.SockJsHttpRequestHandler;
import org.springframework.web.socket.sockjs.transport.TransportHandlingSockJsService;

/**
 * Has usher's handler around each WebSocket handler that a mapping of Spring MVC serves: those of {@code WebSocketConfigurer}, of STOMP
 * endpoints and of Spring for GraphQL. It is put there before the mapping reads its handlers.
 */
final class WebSocketHandlers implements InstantiationAwareBeanPostProcessor {

    private static final Logger log = LoggerFactory.getLogger(WebSocketHandlers.class);

    private final Supplier<UserConnections<Object>> connections;
    private final HandshakeInterceptor handshake = new RegisteringWebSocketHandler.Handshake();

    WebSocketHandlers(Supplier<UserConnections<Object>> connections) {
        this.connections = connections;
    }

    @Override
    public boolean postProcessAfterInstantiation(Object bean, String name) {
        if (bean instanceof SimpleUrlHandlerMapping mapping) {
            Map<String, Object> registering = new LinkedHashMap<>();
            mapping.getUrlMap().forEach((path, handler) -> registering.put(path, registering(path, handler)));
            mapping.setUrlMap(registering);
        }
        return true;
    }

    private Object registering(String path, Object handler) {
        if (handler.getClass() == WebSocketHttpRequestHandler.class) {
            WebSocketHttpRequestHandler http = (WebSocketHttpRequestHandler) handler;
            WebSocketHttpRequestHandler registering = new WebSocketHttpRequestHandler(
                    new RegisteringWebSocketHandler(http.getWebSocketHandler(), connections),
                    http.getHandshakeHandler());
            registering.setHandshakeInterceptors(with(http.getHandshakeInterceptors()));
            return registering;
        }
        if (handler.getClass() == SockJsHttpRequestHandler.class
                && ((SockJsHttpRequestHandler) handler).getSockJsService()
                        instanceof TransportHandlingSockJsService service) {
            service.setHandshakeInterceptors(with(service.getHandshakeInterceptors()));
            return new SockJsHttpRequestHandler(
                    service,
                    new RegisteringWebSocketHandler(
                            ((SockJsHttpRequestHandler) handler).getWebSocketHandler(), connections));
        }
        if (handler instanceof WebSocketHttpRequestHandler || handler instanceof SockJsHttpRequestHandler) {
            log.warn(
                    "The WebSocket sessions at {} are not ended when their users are revoked: usher does not know the class {}",
                    path,
                    handler.getClass().getName());
        }
        return handler;
    }

    private List<HandshakeInterceptor> with(List<HandshakeInterceptor> others) {
        List<HandshakeInterceptor> all = new ArrayList<>(others);
        if (!all.contains(handshake)) {
            all.add(0, handshake);
        }
        return all;
    }
}
