package dev.usher.spring;

import dev.usher.RevocationListener;
import dev.usher.UserStatusCache;
import java.util.List;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.context.ApplicationListener;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Lazy;
import org.springframework.messaging.simp.SimpMessageHeaderAccessor;
import org.springframework.security.core.Authentication;
import org.springframework.session.FindByIndexNameSessionRepository;
import org.springframework.session.Session;
import org.springframework.session.SessionRepository;
import org.springframework.web.servlet.handler.SimpleUrlHandlerMapping;
import org.springframework.web.socket.messaging.SessionConnectEvent;
import org.springframework.web.socket.server.support.WebSocketHttpRequestHandler;

/**
 * Ends what the status gate has let in, when its user is revoked: WebSocket and STOMP sessions, asynchronous requests, and the
 * sessions of Spring Session.
 */
@AutoConfiguration(after = UsherSecurityAutoConfiguration.class)
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
@ConditionalOnClass(Authentication.class)
@ConditionalOnBean({CurrentUserId.class, UserStatusCache.class})
@ConditionalOnBooleanProperty(name = "usher.web.status-gate.enabled", matchIfMissing = true)
public final class UsherRevocationAutoConfiguration {

    @Bean
    EndingThreads usherEndingThreads() {
        return new EndingThreads();
    }

    /** What is open on this node. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnBooleanProperty(name = "usher.web.revocation.end-connections", matchIfMissing = true)
    static class Connections {

        @Bean
        @ConditionalOnMissingBean
        <K> UserConnections<K> usherUserConnections(UserStatusCache<K> statuses, EndingThreads threads) {
            return new UserConnections<>(statuses, threads);
        }

        @Bean
        RevocationListener usherConnectionsListener(UserConnections<?> connections) {
            return connections::revoked;
        }

        /** Spring's WebSocket handlers. */
        @Configuration(proxyBeanMethods = false)
        @ConditionalOnClass({WebSocketHttpRequestHandler.class, SimpleUrlHandlerMapping.class})
        static class WebSockets {

            @Bean
            static WebSocketHandlers usherWebSocketHandlers(ObjectProvider<UserConnections<Object>> connections) {
                return new WebSocketHandlers(connections::getObject);
            }
        }

        /** STOMP sessions whose user is authenticated by a frame, and not by the handshake. */
        @Configuration(proxyBeanMethods = false)
        @ConditionalOnClass({SessionConnectEvent.class, SimpMessageHeaderAccessor.class})
        static class Stomp {

            @Bean
            <K> ApplicationListener<SessionConnectEvent> usherStompUsers(
                    CurrentUserId<K> ids, UserStatusCache<K> statuses, UserConnections<K> connections) {
                return new StompUsers<>(ids, statuses, connections);
            }
        }
    }

    /** Sessions in a store that all nodes share. */
    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(FindByIndexNameSessionRepository.class)
    @ConditionalOnBooleanProperty(name = "usher.web.revocation.end-sessions", matchIfMissing = true)
    static class Sessions {

        @Bean
        <K> SpringSessions<K> usherSpringSessions(
                ObjectProvider<FindByIndexNameSessionRepository<? extends Session>> repositories,
                ObjectProvider<UserStatusCache<K>> statuses,
                ObjectProvider<PrincipalNames<K>> names,
                CurrentUserId<K> ids,
                EndingThreads threads) {
            return new SpringSessions<>(
                    repositories::getIfUnique,
                    statuses::getObject,
                    ids,
                    names.getIfAvailable(() -> id -> List.of(id.toString())),
                    threads);
        }

        @Bean
        RevocationListener usherSpringSessionsListener(SpringSessions<?> sessions) {
            return sessions::revoked;
        }

        @Bean
        @Lazy(false)
        static SmartInitializingSingleton usherSpringSessionsCheck(
                ObjectProvider<SessionRepository<?>> all, ObjectProvider<FindByIndexNameSessionRepository<?>> indexed) {
            return () -> {
                SessionRepository<?> repository = all.getIfUnique();
                if (repository != null && indexed.getIfUnique() == null) {
                    SpringSessions.warnOf(repository);
                }
            };
        }
    }
}
