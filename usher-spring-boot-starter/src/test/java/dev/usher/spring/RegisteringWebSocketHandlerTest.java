package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.RevokedUsers;
import dev.usher.UserCaches;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.web.socket.CloseStatus;
import org.springframework.web.socket.TextMessage;
import org.springframework.web.socket.WebSocketMessage;
import org.springframework.web.socket.WebSocketSession;
import org.springframework.web.socket.handler.AbstractWebSocketHandler;

/** With sessions that do as the test says. */
@Timeout(30)
class RegisteringWebSocketHandlerTest {

    private final Map<Long, UserStatus> rows = new ConcurrentHashMap<>(Map.of(1L, UserStatus.ENABLED));
    private final UserSource<Long, UserStatus> source = ids -> {
        Map<Long, UserStatus> found = new HashMap<>(rows);
        found.keySet().retainAll(ids);
        return found;
    };
    private final UserCaches caches =
            UserCaches.builder().redis("redis://127.0.0.1:1").build();
    private final EndingThreads threads = new EndingThreads();
    private final UserConnections<Object> connections =
            connectionsOf(new UserStatusCache<>(caches.cache(UserStatus.FACET, Long.class, source)));

    private final List<WebSocketMessage<?>> taken = new CopyOnWriteArrayList<>();
    private final RegisteringWebSocketHandler handler = new RegisteringWebSocketHandler(
            new AbstractWebSocketHandler() {
                @Override
                public void handleMessage(WebSocketSession session, WebSocketMessage<?> message) {
                    taken.add(message);
                }
            },
            () -> connections);

    private final CountDownLatch closing = new CountDownLatch(1);
    private volatile boolean isOpen = true;

    @SuppressWarnings("unchecked")
    private UserConnections<Object> connectionsOf(UserStatusCache<?> statuses) {
        return new UserConnections<>((UserStatusCache<Object>) statuses, threads);
    }

    @AfterEach
    void close() {
        closing.countDown();
        threads.close();
        caches.close();
    }

    @Test
    void aSessionThatIsStillClosingTakesNoMessages() throws Exception {
        WebSocketSession session = session();
        handler.afterConnectionEstablished(session);
        handler.handleMessage(session, new TextMessage("in time"));

        ban();
        handler.handleMessage(session, new TextMessage("too late"));

        assertThat(taken).hasSize(1);
    }

    @Test
    void aSessionThatHasEndedWhileItBeganIsNotKept() throws Exception {
        WebSocketSession session = session();
        isOpen = false;

        handler.afterConnectionEstablished(session);

        assertThat(connections.size()).isZero();
    }

    @Test
    void nothingIsKeptOfTenThousandSessionsThatHaveEnded() throws Exception {
        for (int i = 0; i < 10_000; i++) {
            WebSocketSession session = session();
            handler.afterConnectionEstablished(session);
            assertThat(connections.size()).isEqualTo(1);
            handler.afterConnectionClosed(session, CloseStatus.NORMAL);
        }

        assertThat(connections.size()).isZero();
    }

    private void ban() {
        rows.put(1L, UserStatus.DISABLED);
        assertThat(connections.revoked(RevokedUsers.of("status", List.of(1)))).isEqualTo(1);
    }

    /** A session of a user that has passed the gate; closing it takes as long as the test. */
    private WebSocketSession session() {
        Map<String, Object> attributes =
                new ConcurrentHashMap<>(Map.of(Passage.ATTRIBUTE, new Passage<>(1L, true, connections.revocations())));
        return (WebSocketSession) Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {WebSocketSession.class},
                (proxy, method, arguments) -> switch (method.getName()) {
                    case "getAttributes" -> attributes;
                    case "isOpen" -> isOpen;
                    case "close" -> {
                        closing.await();
                        yield null;
                    }
                    default -> throw new UnsupportedOperationException(method.getName());
                });
    }
}
