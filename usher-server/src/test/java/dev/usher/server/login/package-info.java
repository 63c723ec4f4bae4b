@NullMarked
package dev.usher.server.login;

import org.jspecify.annotations.NullMarked;
