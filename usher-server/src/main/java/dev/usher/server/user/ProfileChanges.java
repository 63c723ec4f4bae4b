package dev.usher.server.user;

import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.server.Commits;
import dev.usher.server.problem.Problem;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.user.ProfileChange.Announcement;
import jakarta.validation.Validator;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.springframework.stereotype.Component;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Changes profiles by JSON merge patches (RFC 7396): a field that is given is set, null removes it, the rest stays. */
@Component
final class ProfileChanges {

    private final Users users;
    private final Commits commits;
    private final UserProfileCache<Long> profiles;
    private final JsonMapper mapper;
    private final Validator validator;

    ProfileChanges(
            Users users, Commits commits, UserProfileCache<Long> profiles, JsonMapper mapper, Validator validator) {
        this.users = users;
        this.commits = commits;
        this.profiles = profiles;
        this.mapper = mapper;
        this.validator = validator;
    }

    /**
     * Changes what users may change in their own profiles.
     *
     * @return the profile as the database has it now, and whether Redis has taken the announcement
     * @throws ProblemException when the patch is not valid, or there is no such user
     */
    ProfileChange apply(long id, ProfilePatch patch) {
        return apply(id, patch.fields(), false);
    }

    /** As {@link #apply(long, ProfilePatch)}, of what administrators may change. */
    ProfileChange apply(long id, GrantPatch patch) {
        return apply(id, patch.fields(), true);
    }

    /** It announces the change, and waits for no node: an old profile for a moment does no harm. */
    private ProfileChange apply(long id, JsonNode patch, boolean isGrant) {
        Map<ProfileField, @Nullable Object> values = valuesOf(patch, isGrant);
        if (values.isEmpty()) {
            return new ProfileChange(known(profiles.findFresh(id)), Announcement.NONE);
        }
        UserProfile changed = commits.commit(() -> known(users.change(id, values)), () -> profiles.invalidate(id));
        return new ProfileChange(changed, profiles.invalidate(id) ? Announcement.SENT : Announcement.PENDING);
    }

    private static UserProfile known(Optional<UserProfile> profile) {
        return profile.orElseThrow(() -> new ProblemException(ProblemType.USER_NOT_FOUND));
    }

    private Map<ProfileField, @Nullable Object> valuesOf(JsonNode patch, boolean isGrant) {
        if (!patch.isObject()) {
            throw new ProblemException(ProblemType.MALFORMED_REQUEST);
        }
        Map<ProfileField, @Nullable Object> values = new EnumMap<>(ProfileField.class);
        List<Problem.Field> faults = new ArrayList<>();
        for (Map.Entry<String, JsonNode> given : patch.properties()) {
            String name = given.getKey();
            ProfileField field = ProfileField.of(name).orElse(null);
            if (field == null) {
                // Unknown fields are ignored, except in administration.
                if (isGrant || name.equals("id") || name.equals("mobile")) {
                    faults.add(new Problem.Field(name, "cannot be changed here"));
                }
            } else if (field.isGranted() != isGrant) {
                faults.add(new Problem.Field(name, isGrant ? "is changed by the user alone" : Grants.RULE));
            } else {
                try {
                    Object value = mapper.treeToValue(given.getValue(), field.type());
                    validator
                            .validateValue(field.rules(), field.property(), value)
                            .forEach(fault -> faults.add(new Problem.Field(name, fault.getMessage())));
                    values.put(field, value);
                } catch (JacksonException e) {
                    faults.add(new Problem.Field(name, "is of the wrong type"));
                }
            }
        }
        if (!faults.isEmpty()) {
            throw new ProblemException(ProblemType.INVALID_FIELD, faults.toArray(Problem.Field[]::new));
        }
        return values;
    }
}
