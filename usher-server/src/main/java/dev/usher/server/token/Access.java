package dev.usher.server.token;

import dev.usher.CachePolicy;
import dev.usher.Facet;
import dev.usher.FacetCodec;
import dev.usher.UserSource;
import dev.usher.UserStatusCache;
import dev.usher.server.Dialect;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.security.oauth2.jwt.Jwt;

/**
 * What a user's tokens are judged by: the user's generation, the families that have ended in it, and the user's roles.
 *
 * <p>A token says with which generation it was issued, and is refused when that is not the user's any more, or when its family has ended. A
 * generation that rises ends all tokens, however many there are; a family that ends is listed. Where too many would be listed, the
 * generation rises instead.
 *
 * @param generation how often all tokens of the user have ended
 * @param roles what the user may do, whatever a token says
 * @param ended the families that have ended since the generation rose
 */
public record Access(long generation, List<String> roles, List<UUID> ended) {

    /** How many families are listed at most: MySQL joins no more than 1,024 bytes. */
    static final int MAX_ENDED = 24;

    private static final String NAME = "access";

    public Access {
        if (generation < 0) {
            throw new IllegalArgumentException("a generation is not negative");
        }
        roles = List.copyOf(roles);
        ended = List.copyOf(ended);
    }

    /** Whether a token of the user is honoured. One without a generation was issued before there were any. */
    public boolean honours(Jwt token) {
        Number issuedIn = token.getClaim(AccessTokens.GENERATION);
        UUID familyId = Caller.familyOf(token);
        return (issuedIn == null ? 0 : issuedIn.longValue()) >= generation
                && (familyId == null || !ended.contains(familyId));
    }

    /** The columns of an {@code Access} in a row of the table {@code users}. */
    public static String sql(Dialect dialect) {
        return "generation, " + Roles.sql(dialect) + ", (SELECT " + dialect.joined(dialect.text("family_id"))
                + " FROM refresh_tokens WHERE user_id = users.id AND ended_in = users.generation) AS ended";
    }

    /** What a row says that was selected with {@link #sql}. */
    public static Access of(ResultSet row) throws SQLException {
        String ended = row.getString("ended");
        return new Access(
                row.getLong("generation"),
                Roles.of(row),
                ended == null
                        ? List.of()
                        : Stream.of(ended.split(",", -1)).map(UUID::fromString).toList());
    }

    /** The facet, with the policy of the status: answers from memory are as old at most, and it fails closed as well. */
    @Configuration(proxyBeanMethods = false)
    static class OfDatabase {

        @Bean
        Facet<Access> accessFacet(UserStatusCache<Long> statuses) {
            CachePolicy status = statuses.cache().facet().policy();
            // Callers that wait hold fewer threads together than the server has; these have waited for a status before.
            int waiting = Math.max(1, status.maxWaitingLoads() / 4);
            return new Facet<>(
                    NAME,
                    FacetCodec.json(Access.class),
                    status.toBuilder().maxWaitingLoads(waiting).build());
        }

        @Bean
        UserSource<Long, Access> accessSource(JdbcClient jdbc, Dialect dialect) {
            return ids -> {
                Dialect.OneOf oneOf = dialect.oneOf(ids);
                Map<Long, Access> found = new HashMap<>();
                jdbc.sql("SELECT id, " + sql(dialect) + " FROM users WHERE id " + oneOf.sql())
                        .params(oneOf.parameters())
                        .query((row, number) -> found.put(row.getLong("id"), of(row)))
                        .list();
                return found;
            };
        }
    }
}
