package dev.usher.spring;

import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.springframework.http.server.ServerHttpRequest;
import org.springframework.http.server.ServerHttpResponse;
import org.springframework.http.server.ServletServerHttpRequest;
import org.springframework.web.socket.CloseStatus;
import org.springframework.web.socket.WebSocketHandler;
import org.springframework.web.socket.WebSocketMessage;
import org.springframework.web.socket.WebSocketSession;
import org.springframework.web.socket.handler.WebSocketHandlerDecorator;
import org.springframework.web.socket.server.HandshakeInterceptor;

/**
 * A WebSocket handler whose sessions are registered for the users that the gate has let in, and that gives no message of a refused
 * session to the application's handler.
 */
final class RegisteringWebSocketHandler extends WebSocketHandlerDecorator {

    private final Supplier<UserConnections<Object>> connections;

    /**
     * Wraps a handler.
     *
     * @param connections asked at the first session
     */
    RegisteringWebSocketHandler(WebSocketHandler handler, Supplier<UserConnections<Object>> connections) {
        super(handler);
        this.connections = connections;
    }

    /** Registered last: the application's handler then sees the end of a session only after its beginning. */
    @Override
    public void afterConnectionEstablished(WebSocketSession session) throws Exception {
        OpenSocket socket = OpenSocket.in(session);
        super.afterConnectionEstablished(session);
        Object passage = session.getAttributes().remove(Passage.ATTRIBUTE);
        if (passage instanceof Passage<?> passed && passed.isOfUser()) {
            register(socket, passed);
        }
    }

    @SuppressWarnings("unchecked") // All users of an application have the same type of ids.
    private void register(OpenSocket socket, Passage<?> passage) {
        socket.registerHandshake((Passage<Object>) passage, connections.get());
    }

    @Override
    public void handleMessage(WebSocketSession session, WebSocketMessage<?> message) throws Exception {
        OpenSocket socket = OpenSocket.of(session.getAttributes());
        if (socket == null || !socket.isRefused()) {
            super.handleMessage(session, message);
        }
    }

    @Override
    public void afterConnectionClosed(WebSocketSession session, CloseStatus status) throws Exception {
        OpenSocket socket = OpenSocket.of(session.getAttributes());
        if (socket != null) {
            socket.close();
        }
        super.afterConnectionClosed(session, status);
    }

    /** Hands the passage of the handshake over to the session. */
    static final class Handshake implements HandshakeInterceptor {

        @Override
        public boolean beforeHandshake(
                ServerHttpRequest request,
                ServerHttpResponse response,
                WebSocketHandler handler,
                Map<String, Object> attributes) {
            if (request instanceof ServletServerHttpRequest servlet) {
                Object passage = servlet.getServletRequest().getAttribute(Passage.ATTRIBUTE);
                if (passage != null) {
                    attributes.put(Passage.ATTRIBUTE, passage);
                }
            }
            return true;
        }

        @Override
        public void afterHandshake(
                ServerHttpRequest request,
                ServerHttpResponse response,
                WebSocketHandler handler,
                @Nullable Exception failure) {}
    }
}
