package dev.usher;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;

/** A test that counts the commands of a standalone server, or sends some of its own that a Cluster refuses. */
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
@DisabledIfSystemProperty(named = NodesOnRedis.TOPOLOGY, matches = NodesOnRedis.CLUSTER)
@interface StandaloneOnly {}
