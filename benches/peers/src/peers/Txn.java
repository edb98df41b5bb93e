package peers;

import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;

/** A card transaction, with the fields that W1 and W2 read. */
public final class Txn {
    public long ts;
    public String card;
    public String kind;
    public double amount;

    public long getTs() {
        return ts;
    }

    public String getCard() {
        return card;
    }

    public String getKind() {
        return kind;
    }

    public double getAmount() {
        return amount;
    }

    /** The next one, or null at the end. */
    public static Txn read(JsonParser json) throws IOException {
        return Fields.read(json, new Txn(), Txn::set);
    }

    private void set(String name, JsonParser json) throws IOException {
        switch (name) {
            case "ts" -> ts = json.getLongValue();
            case "card" -> card = json.getText();
            case "kind" -> kind = json.getText();
            case "amount" -> amount = json.getDoubleValue();
            default -> json.skipChildren();
        }
    }
}
