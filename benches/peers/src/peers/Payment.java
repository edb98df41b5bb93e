package peers;

import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;

/** A card transaction, with the fields that W7 reads. */
public final class Payment {
    public long ts;
    public String card;
    public double amount;

    public long getTs() {
        return ts;
    }

    public String getCard() {
        return card;
    }

    public double getAmount() {
        return amount;
    }

    /** The next one, or null at the end. */
    public static Payment read(JsonParser json) throws IOException {
        return Fields.read(json, new Payment(), Payment::set);
    }

    private void set(String name, JsonParser json) throws IOException {
        switch (name) {
            case "ts" -> ts = json.getLongValue();
            case "card" -> card = json.getText();
            case "amount" -> amount = json.getDoubleValue();
            default -> json.skipChildren();
        }
    }
}
