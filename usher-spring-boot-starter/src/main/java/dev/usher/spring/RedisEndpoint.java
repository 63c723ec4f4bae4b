package dev.usher.spring;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SslOptions;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.ssl.SslBundle;

/**
 * The Redis of an application's settings, and how to connect to it. An application can use it to open its own connections for
 * other data. An application that declares such a bean names another Redis for the caches.
 *
 * @param uri the address of the Redis
 * @param options the client options, with the TLS material if there is any
 */
public record RedisEndpoint(RedisURI uri, ClientOptions options) {

    /** The endpoint of the settings, in an application without Spring Data Redis. */
    static RedisEndpoint of(DataRedisSettings settings, @Nullable SslBundle bundle) {
        requireStandalone(settings.cluster(), settings.sentinel(), settings.masterreplica());
        String url = settings.url();
        RedisURI uri = url != null
                ? uri(url)
                : uri(settings.host(), settings.port(), settings.database(), settings.username(), settings.password());
        return of(uri, uri.isSsl() || settings.ssl().isOn(), bundle, settings.clientName());
    }

    static RedisEndpoint of(RedisURI uri, boolean ssl, @Nullable SslBundle bundle, @Nullable String clientName) {
        uri.setSsl(ssl);
        if (clientName != null) {
            uri.setClientName(clientName);
        }
        ClientOptions.Builder options = ClientOptions.builder();
        if (bundle != null) {
            options.sslOptions(sslOptions(bundle));
        }
        return new RedisEndpoint(uri, options.build());
    }

    private static RedisURI uri(String url) {
        if (url.startsWith("redis://") || url.startsWith("rediss://")) {
            try {
                return RedisURI.create(url);
            } catch (IllegalArgumentException e) {
                throw new UnreadableRedisUrlException();
            }
        }
        throw new UnreadableRedisUrlException();
    }

    static RedisURI uri(String host, int port, int database, @Nullable String username, @Nullable String password) {
        RedisURI.Builder uri = RedisURI.builder().withHost(host).withPort(port).withDatabase(database);
        if (password != null && !password.isEmpty()) {
            if (username != null && !username.isEmpty()) {
                uri.withAuthentication(username, password.toCharArray());
            } else {
                uri.withPassword(password.toCharArray());
            }
        }
        return uri.build();
    }

    private static SslOptions sslOptions(SslBundle bundle) {
        SslOptions.Builder options = SslOptions.builder()
                .keyManager(bundle.getManagers().getKeyManagerFactory())
                .trustManager(bundle.getManagers().getTrustManagerFactory());
        String[] ciphers = bundle.getOptions().getCiphers();
        if (ciphers != null) {
            options.cipherSuites(ciphers);
        }
        String[] protocols = bundle.getOptions().getEnabledProtocols();
        if (protocols != null) {
            options.protocols(protocols);
        }
        return options.build();
    }

    static void requireStandalone(@Nullable Object cluster, @Nullable Object sentinel, @Nullable Object masterReplica) {
        refuse("cluster", cluster);
        refuse("sentinel", sentinel);
        refuse("masterreplica", masterReplica);
    }

    private static void refuse(String topology, @Nullable Object settings) {
        if (settings != null) {
            throw new InvalidConfigurationPropertyValueException(
                    "spring.data.redis." + topology + ".nodes",
                    null,
                    "usher does not support Redis as a " + topology + " yet. Name a standalone server with"
                            + " spring.data.redis.host and spring.data.redis.port, or with spring.data.redis.url. If the"
                            + " application uses the " + topology + " for other purposes, declare a bean of type"
                            + " dev.usher.spring.RedisEndpoint, which names a standalone server for the caches.");
        }
    }
}
