package dev.usher.recipes;

import dev.usher.CachePolicy;
import dev.usher.Facet;
import dev.usher.FacetCodec;
import dev.usher.UserCaches;
import java.time.Duration;
import java.util.List;
import tools.jackson.databind.json.JsonMapper;

/** Facets whose JSON the application's mapper writes: its names, its modules. */
final class OwnJson {

    private OwnJson() {}

    record Badges(int totalKarma, List<String> names) {}

    /** For all facets of the application's own. */
    static UserCaches caches(String redis, JsonMapper mapper) {
        return UserCaches.builder().redis(redis).jsonMapper(mapper).build();
    }

    /** For one facet. */
    static Facet<Badges> badges(JsonMapper mapper) {
        return new Facet<>("badges", FacetCodec.json(Badges.class, mapper), CachePolicy.of(Duration.ofMinutes(10)));
    }
}
