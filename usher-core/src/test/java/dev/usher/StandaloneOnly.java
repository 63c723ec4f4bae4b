package dev.usher;

import dev.usher.redis.TestRedis;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;

/** A test that makes no sense on a Cluster. */
@Target({ElementType.METHOD, ElementType.TYPE})
@Retention(RetentionPolicy.RUNTIME)
@DisabledIfSystemProperty(named = TestRedis.TOPOLOGY, matches = TestRedis.CLUSTER)
@interface StandaloneOnly {

    /** Why. */
    String value();
}
