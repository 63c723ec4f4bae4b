package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import dev.usher.UserCaches;
import dev.usher.server.Node.Shared;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.config.DestructionAwareBeanPostProcessor;

/** In which order a server gives up what it stands on. */
class ShutdownOrderIT {

    @Test
    void theCachesEndBeforeTheDatabaseThatTheyLoadFrom() {
        List<Class<?>> ended = new ArrayList<>();
        Node node = Node.start(
                Shared.REDIS.uri(), Node.newDatabase(), Shared.WITH_KEY, new DestructionAwareBeanPostProcessor() {
                    @Override
                    public void postProcessBeforeDestruction(Object bean, String name) {
                        ended.add(bean.getClass());
                    }
                });

        node.close();

        assertThat(ended)
                .filteredOn(List.<Class<?>>of(UserCaches.class, HikariDataSource.class)::contains)
                .containsExactly(UserCaches.class, HikariDataSource.class);
    }
}
