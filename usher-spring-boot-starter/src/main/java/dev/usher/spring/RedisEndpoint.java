package dev.usher.spring;

import dev.usher.redis.RedisUris;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisCredentialsProvider;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SslOptions;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.boot.ssl.SslManagerBundle;

/**
 * The Redis of an application's settings, and how to connect to it. An application can use it to open its own connections for
 * other data. An application that declares such a bean names another Redis for the caches.
 *
 * @param uri the address of the Redis, of its Sentinels, or of the first of {@code clusterNodes}; a copy for each caller
 * @param clusterNodes of a Redis Cluster, the servers that are asked where the others are; else empty. A copy for each caller
 * @param options the client options, with the TLS material if there is any, which each new connection takes from its bundle anew
 */
public record RedisEndpoint(RedisURI uri, List<RedisURI> clusterNodes, ClientOptions options) {

    /** What the settings of the application's Redis are under. */
    static final String APPLICATIONS = "spring.data.redis";

    /** Of a Redis that is no Cluster. */
    public RedisEndpoint(RedisURI uri, ClientOptions options) {
        this(uri, List.of(), options);
    }

    /** Copies, for a {@link RedisURI} can be changed. */
    @Override
    public List<RedisURI> clusterNodes() {
        return clusterNodes.stream().map(RedisUris::copyOf).toList();
    }

    /** A copy, for a {@link RedisURI} can be changed. */
    @Override
    public RedisURI uri() {
        return RedisUris.copyOf(uri);
    }

    /** The endpoint of usher's own settings, or {@code null} when they name none. */
    static @Nullable RedisEndpoint ofOwn(
            UsherProperties properties,
            ObjectProvider<SslBundles> bundles,
            ObjectProvider<RedisCredentialsProvider> credentials) {
        DataRedisSettings own = properties.redis().own();
        return own == null ? null : of(UsherProperties.Redis.PREFIX, own, bundles, credentials);
    }

    /**
     * The endpoint of settings, in an application without Spring Data Redis.
     *
     * @param prefix what the settings are under
     */
    static RedisEndpoint of(
            String prefix,
            DataRedisSettings settings,
            ObjectProvider<SslBundles> bundles,
            ObjectProvider<RedisCredentialsProvider> credentials) {
        refuseReplicas(settings.masterreplica());
        RedisURI redis = settings.url() != null
                ? uri(prefix, settings.url())
                : uri(
                        prefix,
                        settings.host(),
                        settings.port(),
                        settings.database(),
                        settings.username(),
                        settings.password());
        RedisURI uri = settings.sentinel() == null ? redis : behind(settings.sentinel(), prefix, redis);
        String bundle = settings.ssl().isOn() ? settings.ssl().bundle() : null;
        return of(
                prefix,
                uri,
                settings.sentinel() == null ? clusterNodes(prefix, settings) : List.of(),
                redis.isSsl() || settings.ssl().isOn(),
                bundle == null || bundle.isEmpty()
                        ? null
                        : () -> bundles.getObject().getBundle(bundle),
                settings.clientName(),
                credentials);
    }

    /**
     * An endpoint.
     *
     * @param prefix what the settings are under
     * @param clusterNodes the nodes of a Cluster, each as {@code host:port}; else none
     * @param bundle gives the bundle as it is at the moment, or is {@code null} when there is none
     * @param credentials take the place of a user name and a password
     */
    static RedisEndpoint of(
            String prefix,
            RedisURI uri,
            List<String> clusterNodes,
            boolean ssl,
            @Nullable Supplier<SslBundle> bundle,
            @Nullable String clientName,
            ObjectProvider<RedisCredentialsProvider> credentials) {
        uri.setSsl(ssl);
        if (clientName != null) {
            uri.setClientName(clientName);
        }
        credentials.ifAvailable(uri::setCredentialsProvider);
        ClientOptions.Builder options = ClientOptions.builder();
        if (bundle != null) {
            options.sslOptions(sslOptions(bundle));
        }
        if (clusterNodes.isEmpty()) {
            return new RedisEndpoint(uri, options.build());
        }
        List<RedisURI> nodes = nodes(prefix, uri, clusterNodes);
        return new RedisEndpoint(nodes.get(0), nodes, options.build());
    }

    /** A Cluster has one database. */
    static void refuseDatabase(String prefix, int database) {
        if (database != 0) {
            throw new InvalidConfigurationPropertyValueException(
                    prefix + ".database", database, "A Redis Cluster has no database but 0.");
        }
    }

    private static List<RedisURI> nodes(String prefix, RedisURI uri, List<String> clusterNodes) {
        refuseDatabase(prefix, uri.getDatabase());
        try {
            return RedisUris.cluster(uri, clusterNodes);
        } catch (IllegalArgumentException e) {
            throw InvalidSetting.of(
                    prefix + ".cluster.nodes", clusterNodes, "Each node is host:port: " + e.getMessage() + ".", e);
        }
    }

    private static List<String> clusterNodes(String prefix, DataRedisSettings settings) {
        if (settings.cluster() == null) {
            return clusterNodesIn(settings.url());
        }
        List<String> nodes = settings.cluster().nodes();
        if (nodes.isEmpty()) {
            throw new InvalidConfigurationPropertyValueException(
                    prefix + ".cluster.nodes", null, "It has to name nodes of the Cluster, each as host:port.");
        }
        return nodes;
    }

    /** The nodes in a URL that has been read already. */
    private static List<String> clusterNodesIn(@Nullable String url) {
        return url == null || !RedisUris.isCluster(url)
                ? List.of()
                : RedisUris.cluster(url).stream()
                        .map(node -> node.getHost().contains(":")
                                ? "[" + node.getHost() + "]:" + node.getPort()
                                : node.getHost() + ":" + node.getPort())
                        .toList();
    }

    private static RedisURI uri(String prefix, String url) {
        boolean isOwn = prefix.equals(UsherProperties.Redis.PREFIX);
        boolean behindSentinels = url.startsWith("redis-sentinel://") || url.startsWith("rediss-sentinel://");
        if (url.startsWith("redis://")
                || url.startsWith("rediss://")
                // Spring Boot does not know the others.
                || (isOwn && (behindSentinels || RedisUris.isCluster(url)))) {
            try {
                RedisURI uri = RedisUris.isCluster(url) ? RedisUris.cluster(url).get(0) : RedisUris.parse(url);
                if (!RedisUris.isCluster(url) || uri.getDatabase() == 0) {
                    return uri;
                }
            } catch (IllegalArgumentException e) {
                throw new UnreadableRedisUrlException(prefix + ".url");
            }
        }
        throw new UnreadableRedisUrlException(prefix + ".url");
    }

    static RedisURI uri(
            String prefix, String host, int port, int database, @Nullable String username, @Nullable String password) {
        RedisURI.Builder uri;
        try {
            uri = RedisURI.builder().withHost(host).withPort(port);
        } catch (IllegalArgumentException e) {
            throw InvalidSetting.of(prefix + ".port", port, "A port is a number from 1 to 65535.", e);
        }
        try {
            uri.withDatabase(database);
        } catch (IllegalArgumentException e) {
            throw InvalidSetting.of(prefix + ".database", database, "A database is a number from 0.", e);
        }
        RedisURI made = uri.build();
        authenticate(made, username, password);
        return made;
    }

    private static void authenticate(RedisURI uri, @Nullable String username, @Nullable String password) {
        if (password != null && !password.isEmpty()) {
            RedisURI.Builder account = RedisURI.builder(uri);
            if (username != null && !username.isEmpty()) {
                account.withAuthentication(username, password.toCharArray());
            } else {
                account.withPassword(password.toCharArray());
            }
            uri.setCredentialsProvider(account.build().getCredentialsProvider());
        }
    }

    /**
     * The Redis whose primary the Sentinels name.
     *
     * @param prefix what the settings are under
     * @param redis everything but the address, or the Sentinels of a URL, which lack their account
     */
    static RedisURI behind(DataRedisSettings.Sentinel sentinel, String prefix, RedisURI redis) {
        RedisURI uri = redis;
        boolean named = sentinel.master() != null || !sentinel.nodes().isEmpty();
        if (named && !redis.getSentinels().isEmpty()) {
            throw new InvalidConfigurationPropertyValueException(
                    prefix + ".sentinel.nodes",
                    sentinel.nodes(),
                    "The URL in " + prefix + ".url names the Sentinels too. Name them in one of the two.");
        }
        if (redis.getSentinels().isEmpty()) {
            if (sentinel.nodes().isEmpty()) {
                throw new InvalidConfigurationPropertyValueException(
                        prefix + ".sentinel.nodes",
                        null,
                        "It has to name the Sentinels, all of them if possible, each as host:port.");
            }
            if (sentinel.master() == null || sentinel.master().isBlank()) {
                throw new InvalidConfigurationPropertyValueException(
                        prefix + ".sentinel.master",
                        sentinel.master(),
                        "It has to be the name by which the Sentinels know the primary, as in 'sentinel monitor <name> ...'.");
            }
            try {
                uri = RedisUris.sentinels(redis, sentinel.master(), sentinel.nodes());
            } catch (IllegalArgumentException e) {
                throw InvalidSetting.of(
                        prefix + ".sentinel.nodes",
                        sentinel.nodes(),
                        "Each node is host:port: " + e.getMessage() + ".",
                        e);
            }
        }
        uri.getSentinels().forEach(each -> authenticate(each, sentinel.username(), sentinel.password()));
        return uri;
    }

    /** Certificates and keys are taken from the bundle for each connection, for it may have been reloaded. */
    private static SslOptions sslOptions(Supplier<SslBundle> bundle) {
        SslBundle atStart = bundle.get();
        SslOptions.Builder options = SslOptions.builder().sslContext(context -> {
            SslManagerBundle managers = bundle.get().getManagers();
            context.keyManager(managers.getKeyManagerFactory()).trustManager(managers.getTrustManagerFactory());
        });
        String[] ciphers = atStart.getOptions().getCiphers();
        if (ciphers != null) {
            options.cipherSuites(ciphers);
        }
        String[] protocols = atStart.getOptions().getEnabledProtocols();
        if (protocols != null) {
            options.protocols(protocols);
        }
        return options.build();
    }

    static void refuseReplicas(@Nullable Object masterReplica) {
        if (masterReplica != null) {
            throw new InvalidConfigurationPropertyValueException(
                    APPLICATIONS + ".masterreplica.nodes",
                    null,
                    "usher does not support Redis as a masterreplica yet. Name a standalone server with"
                            + " spring.data.redis.host and spring.data.redis.port, or with spring.data.redis.url, its Sentinels with"
                            + " spring.data.redis.sentinel.nodes, or a Cluster with spring.data.redis.cluster.nodes. If the"
                            + " application uses the masterreplica for other purposes, name another Redis for the caches with"
                            + " usher.redis.url or usher.redis.host.");
        }
    }
}
