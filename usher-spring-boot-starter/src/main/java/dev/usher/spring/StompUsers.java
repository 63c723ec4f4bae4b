package dev.usher.spring;

import dev.usher.UserStatusCache;
import dev.usher.UserUnavailableException;
import java.util.Optional;
import org.springframework.context.ApplicationListener;
import org.springframework.messaging.simp.SimpMessageHeaderAccessor;
import org.springframework.security.core.Authentication;
import org.springframework.web.socket.messaging.SessionConnectEvent;

/**
 * Registers STOMP sessions for users that are authenticated by a CONNECT frame: an interceptor of the application has set the user of its
 * message.
 *
 * @param <K> the type of a user's id
 */
final class StompUsers<K> implements ApplicationListener<SessionConnectEvent> {

    private final CurrentUserId<K> ids;
    private final UserStatusCache<K> statuses;
    private final UserConnections<K> connections;

    StompUsers(CurrentUserId<K> ids, UserStatusCache<K> statuses, UserConnections<K> connections) {
        this.ids = ids;
        this.statuses = statuses;
        this.connections = connections;
    }

    @Override
    public void onApplicationEvent(SessionConnectEvent event) {
        OpenSocket socket = OpenSocket.of(SimpMessageHeaderAccessor.getSessionAttributes(
                event.getMessage().getHeaders()));
        if (socket != null && event.getUser() instanceof Authentication caller && caller.isAuthenticated()) {
            userOf(caller).ifPresent(id -> socket.registerFrame(id, connections));
        }
    }

    /** A caller that is no user is not registered: the application has let it in. */
    private Optional<K> userOf(Authentication caller) {
        return ids.of(caller).filter(id -> {
            try {
                return statuses.find(id).isPresent();
            } catch (UserUnavailableException e) {
                return true;
            }
        });
    }
}
