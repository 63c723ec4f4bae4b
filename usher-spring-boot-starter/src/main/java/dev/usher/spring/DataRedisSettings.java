package dev.usher.spring;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.core.env.Environment;

/**
 * The part of Spring Boot's {@code spring.data.redis} settings that says where Redis is, read without Spring Data Redis; {@code usher.redis} has the same
 * names. Sentinels take precedence over a Cluster and a URL, these over host, port, database, user name and password, as in Spring Boot.
 */
record DataRedisSettings(
        @Nullable String url,
        @DefaultValue("localhost") String host,
        @DefaultValue("6379") int port,
        @DefaultValue("0") int database,
        @Nullable String username,
        @Nullable String password,
        @Nullable String clientName,
        @DefaultValue Ssl ssl,
        @Nullable Nodes cluster,
        @Nullable Sentinel sentinel,
        @Nullable Nodes masterreplica) {

    /** TLS: with a bundle of certificates and keys, or with the certificates that the Java platform trusts. */
    record Ssl(@Nullable Boolean enabled, @Nullable String bundle) {

        boolean isOn() {
            return enabled != null ? enabled : bundle != null;
        }
    }

    /** The Sentinels that name the primary, each as {@code host:port}, and the account there, which is not that of Redis. */
    record Sentinel(
            @Nullable String master,
            @DefaultValue List<String> nodes,
            @Nullable String username,
            @Nullable String password) {

        /** Without the password. */
        @Override
        public String toString() {
            return "Sentinel[master=" + master + ", nodes=" + nodes + "]";
        }
    }

    /** Servers of a Cluster, or of a Redis that usher does not support. */
    record Nodes(@DefaultValue List<String> nodes) {}

    boolean hasTlsUrl() {
        return url != null && url.startsWith("rediss://");
    }

    /** Without the URL and the password. */
    @Override
    public String toString() {
        return "DataRedisSettings[host=" + host + ", port=" + port + "]";
    }

    static DataRedisSettings of(Environment environment) {
        return Binder.get(environment).bindOrCreate("spring.data.redis", DataRedisSettings.class);
    }
}
