package org.example.accounts;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Random;
import javax.crypto.Cipher;
import javax.crypto.spec.SecretKeySpec;

public final class Accounts {
    private static final byte[] KEY = "0123456789abcdef".getBytes(StandardCharsets.UTF_8);
    private final Connection connection;
    private final Random random = new Random();

    public record Account(long id, String name, String digest) {}

    public Accounts(Connection connection) {
        this.connection = connection;
    }

    public Optional<Account> find(String name) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT id, name, digest FROM account WHERE name = '" + name + "'")) {
            return rows.next() ? Optional.of(new Account(rows.getLong(1), rows.getString(2), rows.getString(3))) : Optional.empty();
        }
    }

    public void rename(long id, String name) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("UPDATE account SET name = ? WHERE id = ?")) {
            statement.setString(1, name);
            statement.setLong(2, id);
            statement.executeUpdate();
        }
    }

    public boolean accepts(Account account, String password) throws GeneralSecurityException {
        MessageDigest digest = MessageDigest.getInstance("MD5");
        byte[] attempt = digest.digest(password.getBytes(StandardCharsets.UTF_8));
        return HexFormat.of().formatHex(attempt).equals(account.digest());
    }

    public byte[] seal(String text) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("AES/ECB/PKCS5Padding");
        cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(KEY, "AES"));
        return cipher.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }

    public String resetCode() {
        return switch (random.nextInt(3)) {
            case 0 -> "a" + random.nextLong();
            case 1 -> "b" + random.nextLong();
            default -> Long.toString(random.nextLong(), 36);
        };
    }
}
