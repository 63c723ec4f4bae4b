package dev.usher.spring;

import dev.usher.RevocationListener;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.spring.UserConnections.Registration;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.messaging.Message;
import org.springframework.messaging.MessageChannel;
import org.springframework.messaging.simp.config.ChannelRegistration;
import org.springframework.messaging.simp.config.MessageBrokerRegistry;
import org.springframework.messaging.simp.stomp.StompCommand;
import org.springframework.messaging.simp.stomp.StompHeaderAccessor;
import org.springframework.messaging.support.ChannelInterceptor;
import org.springframework.messaging.support.MessageHeaderAccessor;
import org.springframework.security.authentication.UsernamePasswordAuthenticationToken;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.authority.AuthorityUtils;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.context.request.async.DeferredResult;
import org.springframework.web.servlet.mvc.method.annotation.SseEmitter;
import org.springframework.web.servlet.mvc.method.annotation.StreamingResponseBody;
import org.springframework.web.socket.CloseStatus;
import org.springframework.web.socket.TextMessage;
import org.springframework.web.socket.WebSocketSession;
import org.springframework.web.socket.config.annotation.EnableWebSocket;
import org.springframework.web.socket.config.annotation.EnableWebSocketMessageBroker;
import org.springframework.web.socket.config.annotation.StompEndpointRegistry;
import org.springframework.web.socket.config.annotation.WebSocketConfigurer;
import org.springframework.web.socket.config.annotation.WebSocketHandlerRegistry;
import org.springframework.web.socket.config.annotation.WebSocketMessageBrokerConfigurer;
import org.springframework.web.socket.handler.TextWebSocketHandler;

/** An application with connections of every kind. Any name can log in with the password, and every user is enabled until disabled. */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
@EnableWebSocket
@EnableWebSocketMessageBroker
@Import({LiveApplication.Sockets.class, LiveApplication.Stomp.class, LiveApplication.Streams.class})
class LiveApplication {

    static final String PASSWORD = "correct horse 8";

    /** The table of users. */
    static final class Users {

        final ConcurrentMap<Long, UserStatus> statuses = new ConcurrentHashMap<>();
    }

    @Bean
    Users users() {
        return new Users();
    }

    @Bean
    UserSource<Long, UserStatus> statuses(Users users) {
        return ids -> {
            Map<Long, UserStatus> loaded = new HashMap<>();
            ids.forEach(id -> loaded.put(id, users.statuses.getOrDefault(id, UserStatus.ENABLED)));
            return loaded;
        };
    }

    /** The devices in which users are logged in. */
    static final class Devices {

        final Set<Long> users = ConcurrentHashMap.newKeySet();

        int logOut(Predicate<Object> which) {
            List<Long> loggedOut = users.stream().filter(which).toList();
            loggedOut.forEach(users::remove);
            return loggedOut.size();
        }
    }

    @Bean
    Devices devicesOfUsers() {
        return new Devices();
    }

    @Bean
    RevocationListener devices(Devices devices) {
        return users -> devices.logOut(id -> users.contains("status", id));
    }

    /** A call of a framework that usher does not know. */
    static final class Call {

        final CompletableFuture<String> closed = new CompletableFuture<>();
        private Runnable then = () -> {};

        void close(String why) {
            closed.complete(why);
        }

        void onClose(Runnable then) {
            this.then = then;
        }

        /** Ended by the client. */
        void end() {
            then.run();
        }
    }

    static void opened(UserConnections<Long> connections, long userId, Call call) {
        Registration open = connections.add(userId, () -> call.close("the account is disabled"));
        call.onClose(open::close);
    }

    @Bean
    UserDetailsService anyName() {
        return name -> User.withUsername(name).password("{noop}" + PASSWORD).build();
    }

    @Bean
    SecurityFilterChain pages(HttpSecurity http) {
        return http.authorizeHttpRequests(requests -> requests.requestMatchers("/open-stomp")
                        .permitAll()
                        .anyRequest()
                        .authenticated())
                .httpBasic(Customizer.withDefaults())
                .csrf(csrf -> csrf.disable())
                .build();
    }

    /** Answers each message with itself. */
    static final class Echo extends TextWebSocketHandler {

        final AtomicInteger open = new AtomicInteger();
        final AtomicInteger messages = new AtomicInteger();

        @Override
        public void afterConnectionEstablished(WebSocketSession session) {
            open.incrementAndGet();
        }

        @Override
        protected void handleTextMessage(WebSocketSession session, TextMessage message) throws Exception {
            messages.incrementAndGet();
            session.sendMessage(message);
        }

        @Override
        public void afterConnectionClosed(WebSocketSession session, CloseStatus status) {
            open.decrementAndGet();
        }
    }

    /** Sends without end to a peer, and waits for the peer to read. */
    static final class Flood extends TextWebSocketHandler {

        final AtomicInteger sent = new AtomicInteger();

        @Override
        protected void handleTextMessage(WebSocketSession session, TextMessage message) throws Exception {
            TextMessage much = new TextMessage("x".repeat(100_000));
            while (session.isOpen()) {
                session.sendMessage(much);
                sent.incrementAndGet();
            }
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Sockets implements WebSocketConfigurer {

        @Override
        public void registerWebSocketHandlers(WebSocketHandlerRegistry registry) {
            registry.addHandler(echo(), "/echo");
            registry.addHandler(echo(), "/sockjs").withSockJS();
            registry.addHandler(flood(), "/flood");
        }

        private final Echo echo = new Echo();
        private final Flood flood = new Flood();

        @Bean
        Flood flood() {
            return flood;
        }

        @Bean
        Echo echo() {
            return echo;
        }
    }

    /** At /open-stomp, the CONNECT frame says who the user is. */
    @Configuration(proxyBeanMethods = false)
    static class Stomp implements WebSocketMessageBrokerConfigurer {

        @Override
        public void registerStompEndpoints(StompEndpointRegistry registry) {
            registry.addEndpoint("/stomp", "/open-stomp");
        }

        @Override
        public void configureMessageBroker(MessageBrokerRegistry registry) {
            registry.enableSimpleBroker("/topic");
        }

        @Override
        public void configureClientInboundChannel(ChannelRegistration registration) {
            registration.interceptors(new ChannelInterceptor() {
                @Override
                public Message<?> preSend(Message<?> message, MessageChannel channel) {
                    StompHeaderAccessor frame = MessageHeaderAccessor.getAccessor(message, StompHeaderAccessor.class);
                    if (frame != null && frame.getCommand() == StompCommand.CONNECT && frame.getLogin() != null) {
                        frame.setUser(UsernamePasswordAuthenticationToken.authenticated(
                                frame.getLogin(), null, AuthorityUtils.NO_AUTHORITIES));
                    }
                    return message;
                }
            });
        }
    }

    @RestController
    static class Streams {

        final AtomicInteger open = new AtomicInteger();
        final AtomicInteger streaming = new AtomicInteger();

        @GetMapping("/events")
        SseEmitter events() throws Exception {
            SseEmitter emitter = new SseEmitter(0L);
            open.incrementAndGet();
            emitter.onCompletion(open::decrementAndGet);
            emitter.send("hello");
            return emitter;
        }

        /** A stream that ends by itself. */
        @GetMapping("/once")
        SseEmitter once() throws Exception {
            SseEmitter emitter = new SseEmitter(0L);
            emitter.send("hello");
            emitter.complete();
            return emitter;
        }

        @GetMapping("/poll")
        DeferredResult<String> poll() {
            open.incrementAndGet();
            DeferredResult<String> result = new DeferredResult<>(0L);
            result.onCompletion(open::decrementAndGet);
            return result;
        }

        /** Streams as long as its reader is there. */
        @GetMapping("/stream")
        StreamingResponseBody stream() {
            return body -> {
                streaming.incrementAndGet();
                try {
                    while (true) {
                        body.write("line\n".getBytes(StandardCharsets.UTF_8));
                        body.flush();
                        Thread.onSpinWait();
                    }
                } finally {
                    streaming.decrementAndGet();
                }
            };
        }

        @GetMapping("/hello")
        String hello() {
            return "hello";
        }
    }
}
