package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.usher.UserCaches;
import dev.usher.server.Node.Shared;
import jakarta.servlet.ServletException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.catalina.Lifecycle;
import org.apache.catalina.connector.Request;
import org.apache.catalina.connector.Response;
import org.apache.catalina.valves.ValveBase;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.config.DestructionAwareBeanPostProcessor;
import org.springframework.boot.tomcat.servlet.TomcatServletWebServerFactory;

/** The order in which a server closes its resources. */
class ShutdownOrderIT {

    @Test
    void answersThatAreMadeAreSentAndTheCachesEndBeforeTheDatabaseThatTheyLoadFrom() throws Exception {
        List<Class<?>> ended = new ArrayList<>();
        AnswerOnItsWay answer = new AnswerOnItsWay();
        Node node = Node.start(
                Shared.REDIS.uri(), Node.newDatabase(), Shared.WITH_KEY, new DestructionAwareBeanPostProcessor() {

                    @Override
                    public Object postProcessBeforeInitialization(Object bean, String name) {
                        if (bean instanceof TomcatServletWebServerFactory factory) {
                            factory.addEngineValves(answer);
                            factory.addConnectorCustomizers(connector -> connector.addLifecycleListener(event -> {
                                if (event.getType().equals(Lifecycle.AFTER_STOP_EVENT)) {
                                    answer.connectorEnded.countDown();
                                }
                            }));
                        }
                        return bean;
                    }

                    @Override
                    public void postProcessBeforeDestruction(Object bean, String name) {
                        ended.add(bean.getClass());
                    }
                });
        Node.User ann = node.register();
        answer.isHeldUp = true;
        CompletableFuture<Answer> underWay = CompletableFuture.supplyAsync(ann::tryLogin);
        answer.made.await();

        node.close();

        underWay.get(30, TimeUnit.SECONDS).with(200);
        assertThat(ended)
                .filteredOn(List.<Class<?>>of(UserCaches.class, HikariDataSource.class)::contains)
                .containsExactly(UserCaches.class, HikariDataSource.class);
    }

    /** An answer that has been made, and is not sent until the connector has ended, or half a second has passed. */
    private static final class AnswerOnItsWay extends ValveBase {

        private final CountDownLatch made = new CountDownLatch(1);
        private final CountDownLatch connectorEnded = new CountDownLatch(1);
        private volatile boolean isHeldUp;

        AnswerOnItsWay() {
            super(true);
        }

        @Override
        public void invoke(Request request, Response response) throws IOException, ServletException {
            // Asked before: an answer of an earlier request may have arrived while its thread is still here.
            boolean holdsUp = isHeldUp;
            getNext().invoke(request, response);
            if (holdsUp) {
                made.countDown();
                try {
                    var unused = connectorEnded.await(500, TimeUnit.MILLISECONDS);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
        }
    }
}
