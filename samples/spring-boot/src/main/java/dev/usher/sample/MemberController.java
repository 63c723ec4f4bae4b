package dev.usher.sample;

import dev.usher.RevocationReceipt;
import dev.usher.UserCache;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserStatusCache;
import dev.usher.spring.CurrentUser;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.ResponseStatusException;

/** The calls of members and administrators. */
@RestController
class MemberController {

    private final UserProfileCache<Long> profiles;
    private final UserStatusCache<Long> statuses;
    private final UserCache<Long, Badges> badges;
    private final Members members;

    MemberController(
            UserProfileCache<Long> profiles,
            UserStatusCache<Long> statuses,
            UserCache<Long, Badges> badges,
            Members members) {
        this.profiles = profiles;
        this.statuses = statuses;
        this.badges = badges;
        this.members = members;
    }

    @GetMapping("/me")
    UserProfile me(@CurrentUser UserProfile me) {
        return me;
    }

    @GetMapping("/members/{id}")
    ResponseEntity<UserProfile> profile(@PathVariable long id) {
        return ResponseEntity.of(profiles.find(id).map(UserProfile::masked));
    }

    @GetMapping("/members/{id}/badges")
    Badges badges(@PathVariable long id) {
        return badges.find(id).orElse(Badges.NONE);
    }

    @PutMapping("/me/name")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void rename(@CurrentUser long me, @RequestBody String name) {
        if (name.isBlank() || !name.matches("\\P{Cntrl}{1,64}")) {
            throw new ResponseStatusException(HttpStatus.BAD_REQUEST, "a name has 1 to 64 letters");
        }
        members.rename(me, name);
    }

    @PostMapping("/admin/members/{id}/ban")
    RevocationReceipt ban(@PathVariable long id) {
        return statuses.disable(id, () -> members.disable(id));
    }
}
