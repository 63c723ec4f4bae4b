package dev.usher.spring;

import dev.usher.RevocationListener;
import dev.usher.RevocationReceipt;
import dev.usher.RevokedUsers;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;

/** An application with open connections, on a real Tomcat and a real Redis, and its clients. */
final class LiveSite implements AutoCloseable {

    private static final AtomicLong IDS = new AtomicLong(1000);

    final HttpClient client = HttpClient.newHttpClient();
    private final ConfigurableApplicationContext context;

    private LiveSite(ConfigurableApplicationContext context) {
        this.context = context;
    }

    static LiveSite start(Class<?> application, String... settings) {
        List<String> arguments = new ArrayList<>(List.of(
                "--server.port=0",
                "--spring.data.redis.url=" + Site.Shared.REDIS.uri(),
                "--spring.main.banner-mode=off",
                "--usher.key-prefix=live" + IDS.incrementAndGet(),
                "--usher.redis.command-timeout=5s"));
        for (String setting : settings) {
            arguments.add("--" + setting);
        }
        return new LiveSite(new SpringApplicationBuilder(application)
                .registerShutdownHook(false)
                .run(arguments.toArray(String[]::new)));
    }

    <T> T bean(Class<T> type) {
        return context.getBean(type);
    }

    /** A user of whom no test knows yet. */
    static long newUser() {
        return IDS.incrementAndGet();
    }

    int port() {
        return context.getEnvironment().getRequiredProperty("local.server.port", Integer.class);
    }

    /** Disables a user; how many open things were ended. */
    int ban(long id) {
        return change(id, UserStatus.DISABLED);
    }

    int enable(long id) {
        return change(id, UserStatus.ENABLED);
    }

    @SuppressWarnings("unchecked")
    private int change(long id, UserStatus status) {
        UserStatusCache<Long> statuses = bean(UserStatusCache.class);
        RevocationReceipt receipt = statuses.disable(
                id, () -> bean(LiveApplication.Users.class).statuses.put(id, status));
        return receipt.ended().values().stream().mapToInt(Integer::intValue).sum();
    }

    /** Calls the listeners, as usher does for a revocation of another node. */
    int tell(RevokedUsers users) {
        return context.getBeansOfType(RevocationListener.class).values().stream()
                .mapToInt(listener -> listener.revoked(users))
                .sum();
    }

    HttpRequest.Builder request(String path, @Nullable Long user) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port() + path));
        if (user != null) {
            request.header("Authorization", authorization(user));
        }
        return request;
    }

    static String authorization(long user) {
        String credentials = user + ":" + LiveApplication.PASSWORD;
        return "Basic " + Base64.getEncoder().encodeToString(credentials.getBytes(StandardCharsets.UTF_8));
    }

    int statusOf(String path, long user) throws Exception {
        return client.send(request(path, user).build(), BodyHandlers.ofString()).statusCode();
    }

    Peer connect(String path, long user) {
        Peer peer = new Peer();
        peer.socket = client.newWebSocketBuilder()
                .header("Authorization", authorization(user))
                .buildAsync(URI.create("ws://127.0.0.1:" + port() + path), peer)
                .join();
        return peer;
    }

    /** The client's end of a WebSocket. */
    static final class Peer implements WebSocket.Listener {

        final BlockingQueue<String> messages = new LinkedBlockingQueue<>();
        final CompletableFuture<String> closed = new CompletableFuture<>();

        @Nullable WebSocket socket;

        @Override
        public @Nullable CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
            messages.add(data.toString());
            socket.request(1);
            return null;
        }

        @Override
        public @Nullable CompletionStage<?> onClose(WebSocket socket, int status, String reason) {
            closed.complete(status + " " + reason);
            return null;
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            closed.completeExceptionally(error);
        }
    }

    @Override
    public void close() {
        context.close();
    }
}
