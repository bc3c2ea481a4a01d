package Mail::SpamAssassin::PerMsgStatus;
require Mail::SpamAssassin;
1;
