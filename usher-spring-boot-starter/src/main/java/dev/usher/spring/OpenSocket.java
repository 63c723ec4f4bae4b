package dev.usher.spring;

import java.io.IOException;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.web.socket.CloseStatus;
import org.springframework.web.socket.WebSocketSession;

/**
 * A session of Spring's WebSocket support, SockJS included, in its own attributes. It may be registered for several users: for the one
 * of the handshake, and for the one of a STOMP frame.
 */
final class OpenSocket implements Ending {

    private static final String ATTRIBUTE = OpenSocket.class.getName();

    /** RFC 6455, section 7.4.1: a policy, here the gate's, was violated. The reason is the type of the gate's answer. */
    private static final CloseStatus DISABLED =
            CloseStatus.POLICY_VIOLATION.withReason(Refusal.ACCOUNT_DISABLED.type());

    /** "Try again later" in the registry of RFC 6455: the gate would answer 503. */
    private static final CloseStatus UNAVAILABLE = CloseStatus.SERVICE_OVERLOAD.withReason(Refusal.UNAVAILABLE.type());

    private final WebSocketSession session;
    private volatile boolean refused;
    private volatile @Nullable Object userOfHandshake;
    private volatile UserConnections.@Nullable Registration ofHandshake;
    private volatile UserConnections.@Nullable Registration ofFrame;

    private OpenSocket(WebSocketSession session) {
        this.session = session;
    }

    /** Puts a session into its attributes, once it is open. */
    static OpenSocket in(WebSocketSession session) {
        OpenSocket socket = new OpenSocket(session);
        session.getAttributes().put(ATTRIBUTE, socket);
        return socket;
    }

    /** The session of these attributes; {@code null} if it is not open yet, or its handler is not usher's. */
    static @Nullable OpenSocket of(@Nullable Map<String, Object> attributes) {
        return attributes != null && attributes.get(ATTRIBUTE) instanceof OpenSocket socket ? socket : null;
    }

    /** Registers the session for the user of its handshake. */
    <K> void registerHandshake(Passage<K> passage, UserConnections<K> connections) {
        userOfHandshake = passage.id();
        ofHandshake = connections.addPassed(passage, this);
        closeIfOver();
    }

    /** Registers the session for the user of a frame, unless that is the user of the handshake. */
    <K> void registerFrame(K id, UserConnections<K> connections) {
        if (id.equals(userOfHandshake)) {
            return;
        }
        UserConnections.Registration before = ofFrame;
        ofFrame = connections.addChecked(id, this);
        if (before != null) {
            before.close();
        }
        closeIfOver();
    }

    /** The session may have ended while it was registered. */
    private void closeIfOver() {
        if (!session.isOpen()) {
            close();
        }
    }

    /** Forgets a session that has ended. */
    void close() {
        UserConnections.Registration first = ofHandshake;
        UserConnections.Registration second = ofFrame;
        if (first != null) {
            first.close();
        }
        if (second != null) {
            second.close();
        }
    }

    /** Whether no more messages are taken. */
    boolean isRefused() {
        return refused;
    }

    @Override
    public void refuse(Refusal why) {
        refused = true;
    }

    @Override
    public void end(Refusal why) throws IOException {
        close();
        session.close(why == Refusal.UNAVAILABLE ? UNAVAILABLE : DISABLED);
    }
}
